"""The base of every settings model: closed, frozen, each field described."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A group of settings; an unknown key is an error and a value never changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)
