"""What happens in a month: each case is some payments, some open items, and the truth about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from advice import WHY, advise
from customers import Customer
from scene import (
    Item,
    Part,
    Payment,
    Scene,
    credit_note,
    discount,
    happens,
    invoice,
    invoice_of,
    item_of,
    later_day,
    numbers,
    part_of,
    payment_of,
    some_cents,
    some_customer,
    told,
)


@dataclass(frozen=True)
class Fact:
    """One row of the truth: what a payment gives to an item, or what of it stays on account."""

    kind: str
    payment: Payment
    item: Item | None
    cents: int


Case = list[Fact]
Maker = Callable[[Scene], Case]


def settled(
    scene: Scene, kind: str, payer: Customer, booked: date, parts: Sequence[Part], said: str
) -> Case:
    """A payment of exactly its parts."""
    cents = sum(part.cents for part in parts)
    payment = payment_of(scene, payer, booked, cents, said)
    return [Fact(kind, payment, part.item, part.cents) for part in parts]


def single(scene: Scene) -> Case:
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    item = invoice(scene, customer, booked, list_price=scene.difficulty.list_prices)
    part = part_of(item, booked)
    kind = "single" if part.cents == item.cents else "discount"
    return settled(scene, kind, customer, booked, [part], numbers(scene, [item]))


def discounted(scene: Scene) -> Case:
    if not (customer := _early(scene)):
        return single(scene)
    booked = scene.chance.choice(scene.days)
    day = booked - timedelta(days=scene.chance.randrange(1, customer.terms.days + 1))
    item = invoice_of(scene, customer, day)
    parts = [part_of(item, booked)]
    return settled(scene, "discount", customer, booked, parts, numbers(scene, [item]))


def late_discount(scene: Scene) -> Case:
    """The discount taken after its days: the invoice is not settled by that."""
    if not (customer := _early(scene)):
        return single(scene)
    booked = scene.chance.choice(scene.days)
    late = customer.terms.days + scene.chance.randrange(3, 15)
    item = invoice_of(scene, customer, booked - timedelta(days=late))
    part = Part(item, item.cents - discount(item))
    return settled(scene, "late_discount", customer, booked, [part], numbers(scene, [item]))


def _early(scene: Scene) -> Customer | None:
    """Draws a customer who takes discounts; a small company may have none."""
    if not any(customer.early for customer in scene.customers.single):
        return None
    while not (customer := some_customer(scene)).early:
        pass
    return customer


def several(scene: Scene) -> Case:
    """Several invoices, each named in the payment's text as long as it fits."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    items = [invoice(scene, customer, booked) for _ in range(scene.chance.randrange(2, 9))]
    said = told(scene, items)
    return settled(scene, "several", customer, booked, [part_of(i, booked) for i in items], said)


def bare(scene: Scene) -> Case:
    """Two or three invoices, and only the payer's name."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    items = [invoice(scene, customer, booked) for _ in range(scene.chance.randrange(2, 4))]
    said = scene.chance.choice(("", "INVOICES", "PAYMENT RUN", f"KD {customer.number}"))
    return settled(scene, "bare", customer, booked, [part_of(i, booked) for i in items], said)


def advised(scene: Scene) -> Case:
    """Several invoices; what they are stands in an advice."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    items = [invoice(scene, customer, booked) for _ in range(scene.chance.randrange(2, 8))]
    parts = [part_of(item, booked) for item in items]
    if happens(scene, 0.3):
        note = credit_note(scene, customer, booked, min(item.cents for item in items))
        parts.append(Part(note, note.cents))
    if happens(scene, 0.4):
        at = scene.chance.randrange(len(items))
        kept = scene.chance.randrange(500, max(600, items[at].cents // 4), 5)
        parts[at] = Part(items[at], items[at].cents - kept, scene.chance.choice(WHY))
    cents = sum(part.cents for part in parts)
    number = advise(scene, customer, booked, cents, parts)
    said = scene.chance.choice((f"AVIS {number}", f"REF {number}", "SEE ADVICE", ""))
    return settled(scene, "advised", customer, booked, parts, said)


def parent(scene: Scene) -> Case:
    """A parent pays invoices of several subsidiaries at once, and names them."""
    if not scene.customers.groups:
        return several(scene)
    group, booked = scene.chance.choice(scene.customers.groups), scene.chance.choice(scene.days)
    members = scene.chance.sample(group, scene.chance.randrange(2, len(group) + 1))
    items = [
        invoice(scene, member, booked)
        for member in members
        for _ in range(scene.chance.randrange(1, 3))
    ]
    parts = [part_of(item, booked) for item in items]
    said = told(scene, items)
    if happens(scene, 0.4):
        cents = sum(part.cents for part in parts)
        said = f"AVIS {advise(scene, members[0], booked, cents, parts)}"
    return settled(scene, "parent", members[0], booked, parts, said)


def partial(scene: Scene) -> Case:
    """Instalments of an invoice; the rest comes later, or next month."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    item = invoice(scene, customer, booked)
    first = item.cents * scene.chance.choice((25, 30, 40, 50, 60)) // 100
    second_on = later_day(scene, booked, scene.chance.randrange(3, 9))
    amounts = [(booked, first)]
    if second_on and happens(scene, 0.5):
        amounts.append((second_on, item.cents - first))
    facts: Case = []
    for at, (day, cents) in enumerate(amounts, 1):
        words = scene.chance.choice(("PART {}", "{}. RATE", "INSTALMENT {}", "A CONTO"))
        said = f"{told(scene, [item])} {words.format(at)}"
        facts += settled(scene, "partial", customer, day, [Part(item, cents)], said)
    return facts


def short_pay(scene: Scene) -> Case:
    """Less than the invoice: something was deducted, mostly with a word about it."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    item = invoice(scene, customer, booked)
    kept = scene.chance.randrange(500, max(600, item.cents // 4), 5)
    said = told(scene, [item])
    if not happens(scene, scene.difficulty.silent):
        said += f" LESS {kept / 100:.2f} {scene.chance.choice(WHY)}"
    return settled(scene, "short_pay", customer, booked, [Part(item, item.cents - kept)], said)


def overpayment(scene: Scene) -> Case:
    """More than the invoice: rounded up, or mistyped."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    item = invoice(scene, customer, booked)
    extra = -item.cents % scene.chance.choice((1_000, 10_000)) or 1_000
    if happens(scene, 0.5):
        extra = 9 * 10 ** scene.chance.randrange(1, 4)
    payment = payment_of(scene, customer, booked, item.cents + extra, told(scene, [item]))
    return [
        Fact("overpayment", payment, item, item.cents),
        Fact("overpayment", payment, None, extra),
    ]


def credited(scene: Scene) -> Case:
    """An invoice less a credit note, which may go without saying."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    item = invoice(scene, customer, booked)
    note = credit_note(scene, customer, booked, item.cents)
    said = told(scene, [item])
    if not happens(scene, scene.difficulty.silent):
        said += f" {scene.chance.choice(('LESS', 'ABZGL', '-'))} {note.document}"
    parts = [part_of(item, booked), Part(note, note.cents)]
    return settled(scene, "credit_note", customer, booked, parts, said)


def duplicate(scene: Scene) -> Case:
    """A payment made twice."""
    facts = single(scene)
    first = facts[0].payment
    again_on = later_day(scene, first.day, scene.chance.randrange(1, 7))
    if not again_on:
        return facts
    text = first.text if happens(scene, 0.7) else ""
    again = replace(first, day=again_on, text=text)
    return [*facts, Fact("duplicate", again, None, again.cents)]


def statement(scene: Scene) -> Case:
    """Everything up to a day, with credit notes; later invoices stay open."""
    if not scene.on_statement:
        return several(scene)
    customer = scene.on_statement.pop(scene.chance.randrange(len(scene.on_statement)))
    booked = scene.chance.choice(scene.days[4:])
    upto = booked - timedelta(days=scene.chance.randrange(16, 25))
    items = [
        invoice_of(scene, customer, upto - timedelta(days=scene.chance.randrange(25)))
        for _ in range(scene.chance.randrange(3, 9))
    ]
    parts = [Part(item, item.cents) for item in items]
    if happens(scene, 0.3):
        note = item_of(scene, customer, upto, -min(item.cents for item in items) // 3)
        parts.append(Part(note, note.cents))
    for _ in range(scene.chance.randrange(4)):
        invoice_of(scene, customer, upto + timedelta(days=scene.chance.randrange(1, 15)))
    said = scene.chance.choice((f"ALL OPEN TO {upto:%d.%m.}", f"STATEMENT {upto:%d.%m.%y}", ""))
    return settled(scene, "statement", customer, booked, parts, said)


def twin(scene: Scene) -> Case:
    """Two invoices of one customer over the same amount: the older is paid first."""
    customer = some_customer(scene)
    at = scene.chance.randrange(len(scene.days) - 7)
    first_on, second_on = scene.days[at], scene.days[at + scene.chance.randrange(2, 7)]
    age = customer.terms.days + scene.chance.randrange(4, 20)
    older = invoice_of(scene, customer, first_on - timedelta(days=age))
    newer = item_of(
        scene, customer, older.day + timedelta(days=scene.chance.randrange(1, 4)), older.cents
    )
    facts = settled(scene, "twin", customer, first_on, [Part(older, older.cents)], "")
    if happens(scene, 0.6):
        facts += settled(scene, "twin", customer, second_on, [Part(newer, newer.cents)], "")
    return facts


def prepayment(scene: Scene) -> Case:
    """Money for an order that has no invoice yet."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    order = scene.chance.randrange(1_000, 9_999)
    words = scene.chance.choice(("PREPAYMENT ORDER AB-{}", "DEPOSIT AB{}", "VORKASSE PROFORMA {}"))
    cents = some_cents(scene, customer, list_price=0.0)
    payment = payment_of(scene, customer, booked, cents, words.format(order))
    return [Fact("prepayment", payment, None, cents)]


def stranger(scene: Scene) -> Case:
    """Money that is not meant for us."""
    name = scene.chance.choice(("WEBER", "SCHULZ", "KRAUSE", "NOVAK", "ROSSI", "DUBOIS"))
    given = scene.chance.choice(("KARIN", "JAN", "PETRA", "LUCA", "ANNE", "PAUL"))
    said = scene.chance.choice(("RENT", "MEMBERSHIP", "TICKET", "SCHOOL FEES", "GYM"))
    cents = scene.chance.randrange(1_500, 90_000)
    booked = scene.chance.choice(scene.days)
    text = f"{said} {scene.chance.randrange(100, 999)}"
    payment = Payment(booked, f"{name} {given}", text, cents, "EUR")
    return [Fact("stranger", payment, None, cents)]


def unpaid(scene: Scene) -> Case:
    """An invoice that nobody has paid, now and then with an advice that is ahead of its payment."""
    customer, booked = some_customer(scene), scene.chance.choice(scene.days)
    item = invoice(scene, customer, booked, list_price=scene.difficulty.list_prices)
    if happens(scene, 0.06 * scene.difficulty.silent):
        advise(scene, customer, scene.days[-1], item.cents, [Part(item, item.cents)])
    return []


CASES: Mapping[str, Maker] = {
    "single": single,
    "discount": discounted,
    "late_discount": late_discount,
    "several": several,
    "advised": advised,
    "partial": partial,
    "short_pay": short_pay,
    "overpayment": overpayment,
    "credit_note": credited,
    "duplicate": duplicate,
    "parent": parent,
    "bare": bare,
    "statement": statement,
    "twin": twin,
    "prepayment": prepayment,
    "stranger": stranger,
    "open": unpaid,
}
