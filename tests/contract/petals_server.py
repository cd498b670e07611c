"""Petals on loopback: the HTTP interface of its chat back end, tracebacks included."""

from urllib.parse import parse_qsl

from aiohttp import web

from .faithful import Asked, Failing, Faithful, Told

MODEL = "petals-team/StableBeluga2"

_PATH = "/api/v1/generate"
_TYPES = {
    "model": str,
    "inputs": str,
    "do_sample": int,
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "max_length": int,
    "max_new_tokens": int,
    "repetition_penalty": float,
    "session_id": str,
}
_RAISED = {
    "model": f"KeyError: '{MODEL}'",
    "context": (
        "ValueError: Maximum length exceeded: prefix 0 + current 2100 "
        "exceeds pre-allocated maximum 2048"
    ),
    "invalid": "ValueError: invalid literal for int() with base 10: 'x'",
    "overloaded": (
        "petals.client.routing.sequence_manager.MissingBlocksError: "
        "No servers holding blocks [0, 1] are online."
    ),
    "internal": "RuntimeError: the tensors have no shape",
}
# What only a proxy before it says.
_REFUSED = {
    "credentials": (401, "no key"),
    "forbidden": (403, "not yours"),
    "rate": (429, "slow down"),
    "quota": (402, "no money"),
    "policy": (400, "against our content policy"),
}


class PetalsServer(Faithful):
    """The HTTP interface of Petals' chat back end. It knows no key."""

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer a request as the provider would."""
        if asked.path != _PATH:
            return web.Response(status=404, text="<html><title>404 Not Found</title></html>")
        if asked.method != "POST":
            return web.Response(status=405, text="<html><title>405</title></html>")
        if asked.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _fail("ValueError: You must specify either max_length or max_new_tokens")
        form = dict(parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True))
        for name, value in form.items():
            if name not in _TYPES:
                return _fail(f"TypeError: generate() got an unexpected argument '{name}'")
            try:
                _TYPES[name](value)
            except ValueError as error:
                return _fail(f"ValueError: {error}")
        if form.get("model") != MODEL:
            return _fail(f"KeyError: {form.get('model')!r}")
        if not form.keys() & {"max_length", "max_new_tokens"}:
            return _fail("ValueError: You must specify either max_length or max_new_tokens")
        if float(form.get("temperature", 1)) <= 0:
            return _fail("ValueError: `temperature` has to be a strictly positive float")
        if isinstance(self.told, Failing):
            kind = self.told.kind
            if kind not in _REFUSED:
                return _fail(_RAISED[kind])
            status, text = _REFUSED[kind]
            return web.Response(status=status, text=text)
        return web.json_response({"ok": True, "outputs": _continue(self.told)})


def _continue(told: Told) -> str:
    """Return what the model adds to a prompt that ends with a colon."""
    return f" {told.text}"


def _fail(raised: str) -> web.Response:
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "/home/petals/chat/http_api.py", line 66, in http_api_generate\n'
        "    model, tokenizer = models[model_name]\n"
        f"{raised}\n"
    )
    return web.json_response({"ok": False, "traceback": traceback})
