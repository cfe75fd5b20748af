"""What happens in a month: each case is some bank lines, some entries, and the truth about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from company import Party
from scene import (
    PRICES,
    Entry,
    Line,
    Scene,
    bank_text,
    digits_of,
    entered_on,
    entry_of,
    happens,
    line_of,
    new_reference,
    on_the_line,
    signed,
    some_cents,
    some_party,
    working_day_after,
)


@dataclass(frozen=True)
class Fact:
    """One row of the truth: a line with its entry, or one of them that has no other."""

    kind: str
    line: Line | None = None
    entry: Entry | None = None


Case = list[Fact]
Maker = Callable[[Scene], Case]


def single(scene: Scene) -> Case:
    party = some_party(scene, customer=happens(scene, 0.5))
    cents = signed(party, some_cents(scene, party, list_price=scene.difficulty.list_prices))
    # Now and then the money flows back: a credit note is paid out, a vendor refunds.
    return [paid(scene, party, "single", -cents if happens(scene, 0.03) else cents)]


def paid(scene: Scene, party: Party, kind: str, cents: int, reference: str = "") -> Fact:
    reference = reference or new_reference(scene, party)
    booked = scene.chance.choice(scene.days)
    line = line_of(scene, party, booked, cents, on_the_line(scene, reference))
    entered = entered_on(scene, booked, customer=party.customer)
    return Fact(kind, line, entry_of(scene, party, entered, cents, reference))


def platform(scene: Scene) -> Case:
    """A marketplace pays each order at a list price; it wrote the invoice number, until it did not.

    From the second month on the number is broken by a slash, and the name has become a brand.
    """
    party = scene.company.platform
    reference = new_reference(scene, party)
    digits = digits_of(reference)
    said = reference
    if scene.company.month > 0:
        party = replace(party, bank_name="MKTRNG", style="brand")
        said = f"ORD {digits[:2]}/{digits[2:]}"
    cents = scene.chance.choice(PRICES[:6])
    booked = scene.chance.choice(scene.days)
    line = line_of(scene, party, booked, cents, remark=said)
    entered = entered_on(scene, booked, customer=True)
    return [Fact("platform", line, entry_of(scene, party, entered, cents, reference))]


def weekly(scene: Scene) -> Case:
    """The same amount every week; one week may not be paid."""
    party = some_party(scene, customer=False)
    cents = -some_cents(scene, party, list_price=0.5)
    weekday = scene.chance.randrange(1, 6)
    due = [day for day in scene.days if day.isoweekday() == weekday]
    unpaid = scene.chance.choice(due) if happens(scene, 0.3) else None
    facts: Case = []
    for day in due:
        entry = entry_of(scene, party, day, cents, "", f"Weekly service, week {day:%V}")
        booked = working_day_after(scene, day, scene.chance.randrange(3))
        if day == unpaid or booked is None:
            facts.append(Fact("outstanding", entry=entry))
        else:
            facts.append(Fact("weekly", line_of(scene, party, booked, cents), entry))
    return facts


def twin(scene: Scene) -> Case:
    """Two invoices of one party over the same amount, some days apart."""
    party = some_party(scene, customer=happens(scene, 0.5))
    cents = signed(party, some_cents(scene, party, list_price=scene.difficulty.list_prices))
    first = scene.chance.randrange(len(scene.days) - 6)
    facts: Case = []
    for booked in (scene.days[first], scene.days[first + scene.chance.randrange(2, 7)]):
        reference = new_reference(scene, party)
        line = line_of(scene, party, booked, cents, on_the_line(scene, reference))
        # Never so early or late that the two would swap their order.
        entered = booked - timedelta(days=scene.chance.randrange(2))
        facts.append(Fact("twin", line, entry_of(scene, party, entered, cents, reference)))
    return facts


def run(scene: Scene) -> Case:
    """One debit for a payment run to several vendors; one of them may have been taken out of it."""
    count = scene.chance.randrange(3, 8)
    euros = [party for party in scene.company.vendors if party.currency == "EUR"]
    payees = scene.chance.sample(euros, min(count, len(euros)))
    booked = scene.chance.choice(scene.days)
    entered = entered_on(scene, booked, customer=False)
    tag = f"ZL-{scene.chance.randrange(1000, 10_000)}"
    entries = [
        entry_of(
            scene,
            payee,
            entered,
            -some_cents(scene, payee),
            new_reference(scene, payee),
            f"Payment run {tag}",
        )
        for payee in payees
    ]
    hard = scene.difficulty.typos > 0
    held_back = entries.pop() if hard and len(entries) > 2 and happens(scene, 0.25) else None
    total = sum(entry.cents for entry in entries)
    name = tag if happens(scene, 0.5) else "FILE"
    line = Line(booked, f"BULK PAYMENT {name} {len(entries)} ITEMS", total, "EUR")
    left = [Fact("outstanding", entry=held_back)] if held_back else []
    return [*(Fact("run", line, entry) for entry in entries), *left]


def batch(scene: Scene) -> Case:
    """A customer pays several invoices at once, and names some of them."""
    party = some_party(scene, customer=True)
    booked = scene.chance.choice(scene.days)
    entries = [
        entry_of(
            scene,
            party,
            entered_on(scene, booked, customer=True),
            some_cents(scene, party, list_price=0.2),
            new_reference(scene, party),
        )
        for _ in range(scene.chance.randrange(2, 6))
    ]
    text = bank_text(scene, party, 1, remark=_remark(scene, entries))
    line = Line(booked, text, sum(entry.cents for entry in entries), party.currency)
    return [Fact("batch", line, entry) for entry in entries]


def _remark(scene: Scene, entries: Sequence[Entry]) -> str:
    """Up to three of the numbers and how many more there are, or only how many."""
    numbers = [digits_of(entry.reference) for entry in entries]
    named = min(scene.chance.randrange(len(numbers) + 1), 3)
    if not named:
        return f"{len(numbers)} INVOICES"
    more = len(numbers) - named
    return " ".join(numbers[:named]) + (f" +{more}" if more else "")


def transposed(scene: Scene) -> Case:
    """Somebody typed two digits of the amount in the wrong order."""
    party = some_party(scene, customer=happens(scene, 0.5))
    digits = str(some_cents(scene, party))
    places = [at for at in range(len(digits) - 1) if digits[at] != digits[at + 1] != "0"]
    if not places:
        return single(scene)
    at = scene.chance.choice(places)
    typed = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
    fact = paid(scene, party, "transposed", signed(party, int(digits)))
    assert fact.entry
    return [replace(fact, entry=replace(fact.entry, cents=signed(party, int(typed))))]


def net_of_fee(scene: Scene) -> Case:
    """The banks on the way kept a charge: less arrives than was invoiced."""
    party = some_party(scene, customer=True)
    cents = some_cents(scene, party) + 20_000
    charge = scene.chance.randrange(500, 4_550, 50)
    reference = new_reference(scene, party)
    hint = scene.chance.choice(("CHGS DED", "LESS CHGS", "SHA", f"CHG {charge / 100:.2f}"))
    booked = scene.chance.choice(scene.days)
    line = line_of(scene, party, booked, cents - charge, on_the_line(scene, reference), hint)
    entered = entered_on(scene, booked, customer=True)
    return [Fact("net_of_fee", line, entry_of(scene, party, entered, cents, reference))]


def reissue(scene: Scene) -> Case:
    """A payment is voided in the ledger and made anew; the bank has only the second."""
    party = some_party(scene, customer=False)
    cents = -some_cents(scene, party, list_price=scene.difficulty.list_prices)
    reference = new_reference(scene, party)
    fact = paid(scene, party, "reissue", cents, reference)
    assert fact.entry
    again = replace(fact.entry, text=scene.chance.choice(("Reissue", "Payment, 2nd attempt")))
    first = fact.entry.day - timedelta(days=scene.chance.randrange(2, 6))
    return [replace(fact, entry=again), *voided(scene, party, cents, reference, first)]


def void(scene: Scene) -> Case:
    """An entry made by mistake, and its reversal."""
    party = some_party(scene, customer=happens(scene, 0.5))
    cents = signed(party, some_cents(scene, party, list_price=scene.difficulty.list_prices))
    day = scene.chance.choice(scene.days)
    return voided(scene, party, cents, new_reference(scene, party), day)


def voided(scene: Scene, party: Party, cents: int, reference: str, day: date) -> Case:
    reversed_on = min(day + timedelta(days=scene.chance.randrange(3)), scene.last_day)
    said = scene.chance.choice(("Void", "Storno", "Reversal", "cancelled, see above"))
    entry = entry_of(scene, party, day, cents, reference)
    reversal = entry_of(scene, party, reversed_on, -cents, reference, said)
    return [Fact("void", entry=entry), Fact("void", entry=reversal)]


def returned(scene: Scene) -> Case:
    """A payment comes back; half of them are paid again, and entered again."""
    party = some_party(scene, customer=happens(scene, 0.4))
    cents = signed(party, some_cents(scene, party))
    fact = paid(scene, party, "returned", cents)
    assert fact.line
    assert fact.entry
    back_on = working_day_after(scene, fact.line.day, scene.chance.randrange(1, 5))
    if back_on is None:
        return [replace(fact, kind="single")]
    why = scene.chance.choice(("RETURN ACCT CLOSED", "RETURNED", "RETOURE", "R-TRANSACTION AC04"))
    back = Line(
        back_on, f"{why} {party.bank_name}"[: scene.difficulty.width], -cents, party.currency
    )
    again_on = working_day_after(scene, back_on, scene.chance.randrange(2, 6))
    facts = [fact, Fact("return", line=back)]
    if again_on and happens(scene, 0.5):
        second = entry_of(scene, party, again_on - timedelta(days=1), cents, fact.entry.reference)
        line = line_of(scene, party, again_on, cents, on_the_line(scene, fact.entry.reference))
        facts.append(Fact("returned", line, second))
    return facts


def correction(scene: Scene) -> Case:
    """The bank books something by mistake, and takes it back."""
    cents = scene.chance.randrange(5_000, 900_000) * scene.chance.choice((-1, 1))
    number = scene.chance.randrange(10**6, 10**7)
    booked = scene.chance.choice(scene.days[:-3])
    back_on = working_day_after(scene, booked, scene.chance.randrange(3)) or booked
    wrong = Line(booked, f"ADVICE {number}", cents, "EUR")
    said = scene.chance.choice(("CORRECTION", "BOOKING ERROR", "REV"))
    return [
        Fact("correction", line=wrong),
        Fact("correction", line=Line(back_on, f"{said} ADVICE {number}", -cents, "EUR")),
    ]


def fee(scene: Scene) -> Case:
    """What the bank itself charges or pays; a new kind of charge begins in the second month."""
    words = ["ACCOUNT FEE", "WIRE FEE", "CARD CHARGES", "COMMISSION", "DEBIT INTEREST"]
    if scene.company.month > 0:
        words += ["REALTIME SURCHG"] * 3
    word = scene.chance.choice(words)
    cents = -scene.chance.randrange(150, 9_000, 5)
    text = f"{word} {scene.chance.randrange(10**4, 10**5)}"
    return [Fact("fee", line=Line(scene.chance.choice(scene.days), text, cents, "EUR"))]


def unbooked(scene: Scene) -> Case:
    """Money that moved and that nobody has entered yet."""
    party = some_party(scene, customer=happens(scene, 0.6), readable=True)
    cents = signed(party, some_cents(scene, party, list_price=scene.difficulty.list_prices))
    fact = paid(scene, party, "unbooked", cents)
    return [replace(fact, entry=None)]


def outstanding(scene: Scene) -> Case:
    """An entry that the bank will have next month, if ever."""
    party = some_party(scene, customer=happens(scene, 0.3))
    cents = signed(party, some_cents(scene, party, list_price=scene.difficulty.list_prices))
    days = scene.days[-4:] if happens(scene, 0.7) else scene.days
    entry = entry_of(scene, party, scene.chance.choice(days), cents, new_reference(scene, party))
    return [Fact("outstanding", entry=entry)]


CASES: Mapping[str, Maker] = {
    "single": single,
    "platform": platform,
    "weekly": weekly,
    "twin": twin,
    "run": run,
    "batch": batch,
    "transposed": transposed,
    "net_of_fee": net_of_fee,
    "reissue": reissue,
    "void": void,
    "returned": returned,
    "correction": correction,
    "fee": fee,
    "unbooked": unbooked,
    "outstanding": outstanding,
}
