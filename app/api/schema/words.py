"""What people write for others to read and follow: HTML that is safe to show, and links."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from app.api.helpers.happenings import HappeningError, check_link
from app.api.helpers.sanitising import clean_html
from app.api.helpers.templates import html_to_text
from app.api.jsonapi.fields import Text


class CleanHtml(Text):
    """HTML, of which only what may be shown to anybody is kept; some text must be left."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        html = clean_html(super()._deserialize(value, attr, data, **kwargs))
        if not html_to_text(html).strip():
            raise ValidationError("This must not be empty: some text must be left when scripts and pictures are out.")
        # Cleaning adds to it, such as `&amp;` for `&`: what is read can be sent back.
        if len(html) > self.maximum:
            raise ValidationError(f"At most {self.maximum} characters: as HTML that is kept this has {len(html)}.")
        return html


class Link(Text):
    """An address with http or https, or a path of the front end."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        try:
            return check_link(super()._deserialize(value, attr, data, **kwargs)) or ""
        except HappeningError as error:
            raise ValidationError(str(error)) from error
