// A client in another language, from the protos alone: one whole answer, one in pieces, one error.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CompletionService } from "./gen/understudy/v1/completion_pb.js";

const client = createClient(
  CompletionService,
  createGrpcTransport({ baseUrl: `http://${process.argv[2]}` }),
);
const request = {
  model: process.argv[3],
  messages: [{ role: "user", content: "hi" }],
};

const whole = await client.createCompletion(request);
const pieces = [];
let routing;
for await (const piece of client.streamCompletion(request)) {
  routing ??= piece.routing;
  for (const choice of piece.choices) pieces.push(choice.delta.content ?? "");
}
let refused;
try {
  await client.createCompletion({ ...request, model: "no-such-model" });
} catch (error) {
  refused = ConnectError.from(error);
}
console.log(
  JSON.stringify({
    content: whole.choices[0].message.content,
    tokens: whole.usage.totalTokens,
    streamed: pieces.join(""),
    pieces: pieces.length,
    streamedBy: routing.modelGroup,
    code: Code[refused.code],
    message: refused.rawMessage,
  }),
);
