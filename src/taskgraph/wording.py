"""How amounts are written for a person, on the terminal and on the page alike."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Writes a count with its noun: 1 row, 1,004 rows."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tokens(count: int) -> str:
    """Writes a count of tokens: 950, 161k, 1.2M."""
    if count < 1_000:
        return str(count)
    if count < 999_500:
        return f"{count / 1_000:.0f}k"
    return f"{count / 1_000_000:.1f}M"


def dollars(amount: float) -> str:
    """Writes US dollars: to the cent, and below a cent so that something is left to see."""
    if 0 < amount < 0.01:
        return f"${amount:.2g}" if amount >= 0.0001 else "<$0.0001"
    return f"${amount:,.2f}"


def duration(milliseconds: float) -> str:
    """Writes a duration: 0.2s, 42s, 3m12s, 1h05m."""
    seconds = milliseconds / 1_000
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3_600}h{whole % 3_600 // 60:02}m"
