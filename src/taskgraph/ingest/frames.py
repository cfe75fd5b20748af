"""Reads data frames: polars, pandas, and whatever speaks Arrow.

Their libraries are never imported to find out: whoever holds a frame has its library loaded.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeGuard

from taskgraph.errors import IngestError
from taskgraph.ingest.names import ROW_ID, column_names
from taskgraph.ingest.reading import Arrow, ArrowStream, Reading, pyarrow
from taskgraph.ingest.values import plain_values, text_of, typed_column

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


def open_frame(source: object) -> AbstractContextManager[Reading] | None:
    """Returns how to read a frame; None where the source is not one."""
    if _is_polars(source):
        return _read_polars(source)
    if _is_pandas(source):
        return _read_pandas(source)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return _read_arrow(source)
    return None


def _is_polars(source: object) -> TypeGuard[pl.DataFrame | pl.LazyFrame]:
    polars: Any = sys.modules.get("polars")
    return polars is not None and isinstance(source, (polars.DataFrame, polars.LazyFrame))


def _is_pandas(source: object) -> TypeGuard[pd.DataFrame]:
    pandas: Any = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame)


@contextmanager
def _read_polars(frame: pl.DataFrame | pl.LazyFrame) -> Generator[Reading]:
    """Numbers the rows in polars, which adds a column and copies none."""
    import polars as pl  # noqa: PLC0415 - loaded already: the frame is of its making

    try:
        table = frame.lazy().collect() if isinstance(frame, pl.LazyFrame) else frame
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise IngestError(f"the LazyFrame cannot be collected: {reason}") from error
    if not table.width:
        yield Reading(None, ())
        return
    columns = column_names(table.columns)
    # By place: `pl.col` takes a column called `*` for all of them, and `^a$` for a pattern.
    stored = [
        _stored(pl.nth(number), name, dtype).alias(f"c{number}")
        for number, (name, dtype) in enumerate(table.schema.items())
    ]
    numbers = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW_ID)
    numbered = table.select(numbers, *stored)
    yield Reading(ArrowStream(numbered), columns.names, tuple(columns.warnings.values()))


def _stored(column: pl.Expr, name: str, dtype: pl.DataType) -> pl.Expr:
    """The column in a type that DuckDB reads from Arrow."""
    import polars as pl  # noqa: PLC0415 - see above

    if dtype == pl.Object:
        # DuckDB would take the objects' addresses for bytes.
        raise IngestError(
            f"column {name!r} holds Python objects (pl.Object)",
            hint="cast it to a type of polars, or pass a list of dicts",
        )
    readable = _readable(dtype)
    return column if readable == dtype else column.cast(readable)


def _readable(dtype: Any) -> pl.DataType:
    """The nearest type that DuckDB reads: it knows neither polars' Null nor its Int128."""
    import polars as pl  # noqa: PLC0415 - see above

    if dtype == pl.Null:
        return pl.String()
    if dtype in {pl.Int128, pl.UInt128}:
        return pl.Decimal(38, 0)
    if isinstance(dtype, pl.List):
        return pl.List(_readable(dtype.inner))
    if isinstance(dtype, pl.Array):
        return pl.Array(_readable(dtype.inner), dtype.size)
    if isinstance(dtype, pl.Struct):
        return pl.Struct([pl.Field(field.name, _readable(field.dtype)) for field in dtype.fields])
    return dtype


@contextmanager
def _read_pandas(frame: pd.DataFrame) -> Generator[Reading]:
    """Reads the columns through Arrow, and the index too where it has a name."""
    pa = pyarrow()

    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    arrays: list[Arrow] = []
    remarks: list[str] = []
    for position, label in enumerate(frame.columns):
        values, remark = _pandas_values(str(label), frame.iloc[:, position])
        arrays.append(values)
        if remark:
            remarks.append(remark)
    table = pa.Table.from_arrays(arrays, names=[str(label) for label in frame.columns])
    with _read_arrow(table) as reading:
        yield Reading(reading.stream, reading.names, (*reading.warnings, *remarks))


def _pandas_values(name: str, series: Any) -> tuple[Arrow, str | None]:
    """The column as Arrow, and what a person should know of it."""
    pa = pyarrow()

    try:
        found = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError, ValueError):
        values = plain_values(series.tolist())
        texts = pa.array([None if one is None else text_of(one) for one in values])
        return texts, f"column {name!r} {typed_column(name, values).remark or 'is kept as text'}"
    if pa.types.is_timestamp(found.type) and found.type.unit == "ns":
        # Nanoseconds are pandas' habit, and seldom the data's.
        with suppress(pa.ArrowInvalid):
            return found.cast(pa.timestamp("us", found.type.tz)), None
    return found, None


@contextmanager
def _read_arrow(source: object) -> Generator[Reading]:
    pa = pyarrow()

    try:
        reader = _reader(source)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise IngestError(f"the Arrow data is not a table: {error}") from error
    if not reader.schema.names:
        yield Reading(None, ())
        return
    columns = column_names(reader.schema.names)
    yield Reading(_numbered(reader), columns.names, tuple(columns.warnings.values()))


def _reader(source: Any) -> Arrow:
    pa = pyarrow()

    if isinstance(source, pa.RecordBatchReader):
        return source
    if hasattr(source, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(source)
    return pa.Table.from_batches([pa.record_batch(source)]).to_reader()


def _numbered(reader: Arrow) -> Arrow:
    """Puts row numbers before the columns of each batch; the columns themselves are not copied."""
    pa = pyarrow()

    fields = [field.with_name(f"c{number}") for number, field in enumerate(reader.schema)]
    schema = pa.schema([pa.field(ROW_ID, pa.int64()), *fields])

    def batches() -> Iterator[Arrow]:
        before = 0
        for batch in reader:
            rows = batch.num_rows
            # Through the standard library: `pa.array` would import pandas, where it is installed.
            numbers = pa.py_buffer(array("q", range(before + 1, before + rows + 1)))
            ids = pa.Array.from_buffers(pa.int64(), rows, [None, numbers])
            before += rows
            yield pa.RecordBatch.from_arrays([ids, *batch.columns], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
