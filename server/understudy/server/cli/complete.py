"""`understudy complete`: ask a running service, from a shell."""

import json
import sys

import click

from understudy import client
from understudy.client.parameters import Parameters
from understudy.v1 import chat_pb2, completion_pb2


@click.command()
@click.argument("prompt", nargs=-1)
@click.option("--target", envvar="UNDERSTUDY_TARGET", help="host:port of the service.")
@click.option("--model", "-m", help="A model group or alias.")
@click.option(
    "--models",
    help="A split for this call, such as gpt-4=0.8,llama-2=0.2; the server draws.",
)
@click.option("--system", "-s", help="A system prompt.")
@click.option("--max-tokens", type=click.IntRange(1), help="The most tokens to answer with.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="Higher is more random.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds to wait.")
@click.option("--stream/--no-stream", default=None, help="Print as it comes. [on a terminal]")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
def complete(
    prompt: tuple[str, ...],
    *,
    target: str | None,
    model: str | None,
    models: str | None,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    timeout: float | None,
    stream: bool | None,
    as_json: bool,
) -> None:
    """Ask a model. The PROMPT is read from standard input if it is not given or is `-`.

    The key, if the service wants one, is taken from UNDERSTUDY_API_KEY.
    """
    if bool(model) == bool(models):
        raise click.UsageError("name the target with either --model or --models")
    words = " ".join(prompt)
    if words in ("", "-"):
        words = sys.stdin.read()
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": words})
    parameters: Parameters = {
        "models": _read_split(models) if models else None,
        "max_tokens": max_tokens,
        "temperature": temperature,
    }
    if stream is None:
        stream = sys.stdout.isatty()
    try:
        with client.Client(target, timeout=timeout) as service:
            if stream and not as_json:
                _print_stream(service.completion(model, messages, stream=True, **parameters))
                return
            answer = service.completion(model, messages, **parameters)
        if as_json:
            _print_json(answer)
        else:
            _print_answer(answer)
    except client.UnderstudyError as error:
        click.echo(f"understudy: {error}", err=True)
        sys.exit(1)


def _read_split(text: str) -> dict[str, float]:
    split: dict[str, float] = {}
    for entry in text.split(","):
        name, equals, weight = entry.rpartition("=")
        try:
            split[name.strip()] = float(weight)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise click.UsageError(f"--models: {entry!r} is not NAME=WEIGHT")
    return split


def _print_json(answer: completion_pb2.CreateCompletionResponse) -> None:
    click.echo(json.dumps(client.to_dict(answer), ensure_ascii=False, indent=2))


def _print_answer(answer: completion_pb2.CreateCompletionResponse) -> None:
    for choice in answer.choices:
        click.echo(_words(choice.message))
    _tell_who(answer.routing, answer.usage.total_tokens)


def _print_stream(pieces: client.Stream) -> None:
    routing = completion_pb2.Routing()
    tokens = 0
    for piece in pieces:
        if piece.HasField("routing"):
            routing = piece.routing
        if piece.HasField("usage"):
            tokens = piece.usage.total_tokens
        for choice in piece.choices:
            click.echo(_words(choice.delta), nl=False)
    click.echo()
    _tell_who(routing, tokens)


def _words(message: chat_pb2.ChatMessage) -> str:
    calls = "".join(f"{one.function.name}({one.function.arguments})" for one in message.tool_calls)
    return f"{message.content}{message.refusal}{calls}"


def _tell_who(routing: completion_pb2.Routing, tokens: int) -> None:
    if sys.stderr.isatty():
        attempts = f", {routing.attempts} attempts" if routing.attempts > 1 else ""
        used = f", {tokens} tokens" if tokens else ""
        click.secho(
            f"— {routing.model_group} ({routing.provider}/{routing.model}{attempts}{used})",
            err=True,
            dim=True,
        )
