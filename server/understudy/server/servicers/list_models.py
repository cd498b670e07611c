"""Lists the names that a caller may use, a page at a time."""

import base64
import re
from collections.abc import Iterator
from typing import Final

from understudy.server.domain.deployment import ModelGroup, Snapshot
from understudy.server.errors import Reason, RequestError
from understudy.v1 import completion_pb2

Model = completion_pb2.Model

DEFAULT_PAGE: Final = 100
LARGEST_PAGE: Final = 1000

_TERM: Final = re.compile(r"""(id|state)\s*=\s*("[^"]*"|[\w.*/:-]+)""")


def list_models(
    snapshot: Snapshot, request: completion_pb2.ListModelsRequest
) -> completion_pb2.ListModelsResponse:
    """Return a page of models. Raises RequestError for a filter, order or token that is none."""
    if request.page_size < 0:
        raise RequestError("page_size must not be negative", field="page_size")
    size = min(request.page_size or DEFAULT_PAGE, LARGEST_PAGE)
    if request.order_by not in ("", "id", "id desc"):
        raise RequestError("order_by is `id` or `id desc`", field="order_by")
    backwards = request.order_by == "id desc"
    after = _read_token(request.page_token)
    wanted = _read_filter(request.filter)
    models = sorted(_models(snapshot), key=lambda one: one.id, reverse=backwards)
    left = [
        one
        for one in models
        if (after is None or (one.id < after if backwards else one.id > after))
        and all(_matches(one, field, value) for field, value in wanted)
    ]
    page = left[:size]
    return completion_pb2.ListModelsResponse(
        models=page, next_page_token=_write_token(page[-1].id) if len(left) > size else ""
    )


def _models(snapshot: Snapshot) -> Iterator[Model]:
    for name, group in snapshot.groups.items():
        yield _model(name, "", group)
    for alias, name in snapshot.aliases.items():
        if alias not in snapshot.hidden_aliases and alias not in snapshot.groups:
            yield _model(alias, name, snapshot.groups[name])


def _model(name: str, alias_of: str, group: ModelGroup) -> Model:
    reason = ""
    weighted = [
        one
        for tier in group.tiers
        for one, weight in zip(tier.deployments, tier.weights, strict=True)
        if weight > 0
    ]
    if not weighted:
        reason = Reason.GROUP_HAS_NO_WEIGHT.value
    elif all(one.unusable for one in weighted):
        reason = Reason.DEPLOYMENT_UNUSABLE.value
    return Model(
        id=name,
        alias_of=alias_of,
        state=Model.STATE_UNUSABLE if reason else Model.STATE_USABLE,
        reason=reason,
        providers=sorted({one.provider for one in group.deployments}),
    )


def _read_filter(text: str) -> list[tuple[str, str]]:
    if not text.strip():
        return []
    terms: list[tuple[str, str]] = []
    for term in re.split(r"\s+AND\s+", text.strip()):
        match = _TERM.fullmatch(term)
        if match is None:
            raise RequestError(
                'filter is terms such as `state = USABLE` or `id = "gpt-*"`, joined by AND',
                field="filter",
            )
        terms.append((match[1], match[2].strip('"')))
    return terms


def _matches(model: Model, field: str, value: str) -> bool:
    if field == "state":
        return Model.State.Name(model.state).removeprefix("STATE_") == value.removeprefix("STATE_")
    pattern = ".*".join(re.escape(piece) for piece in value.split("*"))
    return re.fullmatch(pattern, model.id) is not None


def _write_token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _read_token(token: str) -> str | None:
    if not token:
        return None
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise RequestError(
            "page_token is none that this service gave out", field="page_token"
        ) from error
