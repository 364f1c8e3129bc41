"""Writes an artifact's value to its file."""

from __future__ import annotations

import json
import mimetypes
import os
import shutil
from typing import Any

_LONGEST_PREVIEW_CHARACTERS = 500

_MIME_TYPES = {
    "image": "image/png",
    "df": "text/csv",
    "chart": "application/json",
    "file": "application/octet-stream",
    "txt": "text/plain",
    "svg": "image/svg+xml",
    "html": "text/html",
}


def reserve_file(folder: str, execution_index: int, kind: str, file_name: str) -> tuple[str, str]:
    """The id of a new artifact and the path of its file, which is made, empty, where no file was before.

    Raises ValueError for an unknown `kind` or a `file_name` that names no file.
    """
    if kind not in _MIME_TYPES:
        raise ValueError(f"the type of an artifact is one of {', '.join(_MIME_TYPES)}, not {kind!r}")
    base = os.path.basename(file_name.replace("\\", "/"))
    if base in ("", ".", "..") or "\0" in base:
        raise ValueError(f"{file_name!r} is no file name")
    while True:
        identifier = f"obj_{execution_index}_{kind}_{os.urandom(2).hex()}"
        path = os.path.join(folder, f"{identifier}_{base}")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            continue
        return identifier, path


def save_value(path: str, kind: str, value: Any, description: str | None) -> str:
    """Writes `value` to `path` and returns its preview. Raises TypeError for a value that does not fit `kind`."""
    _WRITERS[kind](path, value)
    return (description or _preview(value))[:_LONGEST_PREVIEW_CHARACTERS]


def media_type(file_name: str, kind: str) -> str:
    """The media type by the file's name, or else the usual one of its kind."""
    return mimetypes.guess_type(file_name)[0] or _MIME_TYPES[kind]


def _write_image(path: str, value: Any) -> None:
    if hasattr(value, "savefig"):
        value.savefig(path, format=_image_format(path), bbox_inches="tight")
    elif callable(getattr(value, "save", None)):
        value.save(path, format=_image_format(path).upper().replace("JPG", "JPEG"))
    elif hasattr(value, "figure") and hasattr(value.figure, "savefig"):
        _write_image(path, value.figure)
    else:
        _write_file(path, value, "an image is a figure, a picture, bytes or the path of a file")


def _image_format(path: str) -> str:
    return os.path.splitext(path)[1][1:].lower() or "png"


def _write_table(path: str, value: Any) -> None:
    if not hasattr(value, "to_csv"):
        raise TypeError(f"a df is a DataFrame, not {type(value).__name__}")
    index = getattr(value, "index", None)
    is_plain = type(index).__name__ == "RangeIndex" and index.name is None and index.start == 0 and index.step == 1
    value.to_csv(path, index=not is_plain)


def _write_chart(path: str, value: Any) -> None:
    if not isinstance(value, str):
        value = value.to_json() if callable(getattr(value, "to_json", None)) else json.dumps(value, ensure_ascii=False)
    _write_text(path, value)


def _write_text(path: str, value: Any) -> None:
    if not isinstance(value, str):
        value = str(value)
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(value)


def _write_svg(path: str, value: Any) -> None:
    _write_text(path, value._repr_svg_() if callable(getattr(value, "_repr_svg_", None)) else value)


def _write_html(path: str, value: Any) -> None:
    _write_text(path, value._repr_html_() if callable(getattr(value, "_repr_html_", None)) else value)


def _write_file(path: str, value: Any, expectation: str = "") -> None:
    if isinstance(value, (bytes, bytearray, memoryview)):
        with open(path, "wb") as file:
            file.write(value)
    elif isinstance(value, os.PathLike) or (expectation and isinstance(value, str)):
        shutil.copyfile(value, path)
    elif isinstance(value, str):
        _write_text(path, value)
    else:
        raise TypeError(expectation or f"a file is bytes, text or a path, not {type(value).__name__}")


def _preview(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


_WRITERS = {
    "image": _write_image,
    "df": _write_table,
    "chart": _write_chart,
    "file": _write_file,
    "txt": _write_text,
    "svg": _write_svg,
    "html": _write_html,
}
