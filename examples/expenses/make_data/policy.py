"""The finance department's workbook: chart of accounts, rules for claims, who has which card."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.styles import Font

ACCOUNTS = (
    ("account", "name", "claim_needed", "what_belongs_here"),
    ("6310", "Air travel", "yes", "Flights, seats and luggage, whoever sells them"),
    ("6320", "Train, taxi and local transport", "yes", "Train, bus, tram, taxi, ride services"),
    (
        "6330",
        "Cars",
        "yes",
        "Rental and shared cars, fuel, charging, tolls, parking (also at stations and airports)",
    ),
    ("6340", "Lodging", "yes", "Hotels and holiday flats; meals billed on their own are 6410"),
    (
        "6410",
        "Meals and entertainment",
        "yes",
        "Restaurants, cafés, delivery, snacks and drinks, also on trains, in hotels, from shops",
    ),
    ("6510", "Software and cloud", "no", "Licences, subscriptions, hosting, app stores"),
    ("6520", "Telephone and internet", "no", "Phone contracts, mobile data, Wi-Fi on the road"),
    ("6530", "Equipment", "yes", "Computers, phones, screens and their accessories"),
    (
        "6610",
        "Office supplies and postage",
        "yes",
        "Stationery, postage, parcels, small things; orders on online marketplaces",
    ),
    ("6710", "Advertising", "no", "Advertisements and printed matter"),
    ("6720", "Training and books", "yes", "Courses, conferences, event tickets, books and e-books"),
    ("6910", "Bank charges", "no", "Fees and interest that the card company itself charges"),
)
RULES = (
    ("rule", "eur", "text"),
    ("receipt_from", 25, "A claim of this amount or more needs a receipt"),
    ("difference_up_to", 2, "Card and claim may differ by this much before somebody asks"),
)
CARDS = {
    "4821": "Mareike Brandt",
    "0417": "Jörg Müller",
    "5530": "Aylin Demir",
    "7712": "Tomasz Wójcik",
    "0093": "Sophie Lefèvre",
    "3368": "Henrik Sørensen",
    "6104": "Lena Voß",
    "2259": "David O'Connor",
    "8846": "Nadia Haddad",
    "9015": "Aylin Demir",
}
CARD_LOST = date(2026, 3, 15)
"""Aylin Demir's first card; the second was in use from then on."""

NEEDS_CLAIM = {account for account, _, needed, _ in ACCOUNTS if needed == "yes"}


def write_policy(path: Path) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    cards = (("card", "employee"), *CARDS.items())
    for title, rows in (("Accounts", ACCOUNTS), ("Rules", RULES), ("Cards", cards)):
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
    book.save(path)
    without_time_of_saving(path)


def without_time_of_saving(path: Path) -> None:
    """Packs the workbook again, so that the same content is the same file."""
    with ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    core = parts["docProps/core.xml"]
    parts["docProps/core.xml"] = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"2026-01-02T09:00:00Z", core)
    with ZipFile(path, "w") as packed:
        for name, content in parts.items():
            packed.writestr(ZipInfo(name), content)
