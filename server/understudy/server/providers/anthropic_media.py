"""Writes pictures and documents as Anthropic's blocks. Pure.

They come by URL or in base64, the latter as data URLs. OpenAI's `detail` means nothing there.
"""

from base64 import b64decode

from msgspec import UNSET

from understudy.server.domain.chat import ImageUrl, InputFile
from understudy.server.errors import RequestError
from understudy.server.providers.leaving import Losses

Block = dict[str, object]

_PDF = "application/pdf"


def write_image(image: ImageUrl, path: str, losses: Losses) -> list[Block]:
    """Return a picture as a block, none if it had to be left out."""
    source: Block
    if (inline := _read_data_url(image.url, f"{path}.image_url.url")) is not None:
        kind, data = inline
        source = {"type": "base64", "media_type": kind, "data": data}
    elif image.url[:8].lower() == "https://":
        source = {"type": "url", "url": image.url}
    else:
        losses.drop(path, "a picture comes by https or data URL")
        return []
    return [{"type": "image", "source": source}]


def write_file(file: InputFile, path: str, losses: Losses) -> list[Block]:
    """Return a document as a block, none if it had to be left out."""
    source: Block
    if file.file_id is not UNSET:
        source = {"type": "file", "file_id": file.file_id}
    elif file.file_data is not UNSET:
        where = f"{path}.file.file_data"
        kind, data = _read_data_url(file.file_data, where) or (_PDF, file.file_data)
        if kind == _PDF:
            source = {"type": "base64", "media_type": kind, "data": data}
        elif kind.startswith("text/"):
            source = {"type": "text", "media_type": "text/plain", "data": _read_text(data, where)}
        else:
            losses.drop(path, f"of documents it reads PDF and plain text, not {kind[:80]}")
            return []
    else:
        raise RequestError(f"{path}.file is empty", field=f"{path}.file")
    block: Block = {"type": "document", "source": source}
    if file.filename is not UNSET:
        block["title"] = file.filename
    return [block]


def _read_data_url(url: str, path: str) -> tuple[str, str] | None:
    """Return the media type and the base64 of a data URL, None for any other."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    kind, *settings = head.split(";")
    if not comma or not kind or "base64" not in (one.strip().lower() for one in settings):
        raise RequestError(f"{path} is no data URL with a type and base64", field=path)
    return kind.strip().lower(), data


def _read_text(data: str, path: str) -> str:
    try:
        return b64decode(data, validate=True).decode()
    except ValueError:
        raise RequestError(f"{path} is no UTF-8 text in base64", field=path) from None
