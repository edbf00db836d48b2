"""What a user may say about the documentation source."""

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Which installed packages are read, and how many rows of each labelled task are written at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packages: dict[str, str] = Field(min_length=2)  # distribution name -> the exact version that must be installed
    train_rows: int = Field(default=8000, ge=1)  # at most, in each task
    test_rows: int = Field(default=1000, ge=1)  # at most, in each task; the validation table has the same limit
