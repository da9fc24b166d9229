"""Tables in Markdown whose columns also line up on a terminal."""


def digits(number: float) -> str:
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f}"


def text_of_seconds(seconds: float) -> str:
    for unit, scale in (("µs", 1e6), ("ms", 1e3), ("s", 1)):
        if seconds * scale < 1000 or unit == "s":
            return f"{digits(seconds * scale)} {unit}"
    raise AssertionError


def text_of_size(dim: int, k: int) -> str:
    powers = {100_000: "10⁵", 1_000_000: "10⁶", 10_000_000: "10⁷"}
    return f"{powers.get(dim, dim)}, {k}"


def with_target(text: str, target: float | None) -> str:
    return f"{text} ({target:g})" if target else text


def table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    for row in [head, rule, *rows]:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("| " + " | ".join(cells) + " |")
