"""What the words of a model's name do to the reply: the catalogue.

A name is words joined by `+`, such as `stream+status-429+retry-after-2` or `hang-body+slow-50ms`;
each word changes the reply that the words before it made. A name without such a word is a plain
model, which answers "Hello from NAME.". Whether an answer is streamed follows the request's
`stream`, as with a real model.

    answers     ok  echo  words-N  tool-call  null-content  empty-content  length  content-filter
                empty-choices  no-message  no-usage
                cached-N (a prompt of N + 1 tokens, N of them known, and one token of answer)
    refusals    status-N  error-page-N (KiB)  context-length  content-policy  insufficient-quota
                bad-key  unknown-model  error-in-200  redirect-N  redirect-to-metadata-N
                redirect-to-file-N  retry-after-N  set-cookie
                echo-key (the caller's key in body, header and cookie)  echo-prompt
    bad bodies  html  bad-json  empty  bad-utf8  lone-surrogate  nul  escaped-nul  nan  bom
                brackets-N  nested-N (within an object)  big-number-N (digits)  many-choices-N
                duplicate-keys  gzip-N (MiB of zeros' worth, without N the answer)
                huge-N (MiB, chunked; without N endless)  huge-declared (endless, 1 GB declared)
                endless (an answer, or an event, that begins well)
    streams     stream (though not asked for)  whole (though a stream was)  sse-error
                sse-error-first  sse-bad-json  sse-no-done  sse-comments  sse-crlf
                endless-stream (of good pieces)
    time        slow-Nms (before the first byte)  pace-Nms (between pieces)  drip-Nms (the body a
                byte at a time)  drip-head-Nms (the head too)  heartbeat-Nms (comments for ever)
    framing     chunked  until-eof  bytes-N (in a piece)  bad-chunk
                declared-N (a Content-Length that lies)
    bad heads   http09  junk  status-101  informational (for ever)  many-headers-N  long-header-N
                bad-reason
    endings     close  close-before-headers  close-in-head  truncated  reset  reset-in-head
                reset-mid-body  hang-headers  hang-body
                hold (answers; with until-eof, the end never comes)
                drop-next (answers; the connection's next request is met with a close)
                repeat (answers, and 20 ms later answers again, unasked)

N has a default; durations are in `ms` or `s`. `truncated`, `reset-mid-body` and `hang-body` end a
reply after half of its body.
"""

from . import answers, mishaps
from .plans import Call, Plan

_WORDS = answers.WORDS | mishaps.WORDS


def make_plan(call: Call) -> Plan:
    """Return the reply that the words of the model's name describe."""
    plan = Plan(call=call, content=f"Hello from {call.model}.")
    for word in call.model.split("+"):
        if (change := _WORDS.get(word)) is not None:
            change(plan, "")
        else:
            name, _, argument = word.rpartition("-")
            if argument[:1].isdigit() and (change := _WORDS.get(name)) is not None:
                change(plan, argument)
    return plan
