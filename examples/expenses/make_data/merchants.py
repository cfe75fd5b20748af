"""Where the company's people shop, and how that reads on a card statement.

In a statement text `#` stands for a digit, `@` for a letter or digit, CITY for the trip's city,
and what follows `|` is the place that the card network prints after the name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Merchant:
    account: str | None
    """The truth; None where nobody could tell from the statement."""
    what: str
    """`rail air hotel ride meal` on a trip; else the purpose that people give on a report."""
    text: str
    said: str
    """What people call it on an expense report."""
    low: int
    high: int
    """Bounds of a price, in whole units of the currency."""
    currency: str = "EUR"
    city: str = ""
    """Only there; anywhere else if empty."""
    since: int = 3
    """The first month in which anybody shops there."""
    round_to: int = 1
    """Cents that prices are multiples of."""


AIR, LOCAL, CAR, LODGING = "6310", "6320", "6330", "6340"
MEALS, SOFTWARE, PHONE, EQUIPMENT = "6410", "6510", "6520", "6530"
OFFICE, ADVERTISING, TRAINING, BANK = "6610", "6710", "6720", "6910"

WAYS = (
    Merchant(LOCAL, "rail", "DB VERTRIEB GMBH|FRANKFURT", "Deutsche Bahn", 39, 180, round_to=10),
    Merchant(LOCAL, "rail", "DB*BAHN @@@@@@|BERLIN", "Bahn ticket", 29, 160, round_to=10),
    Merchant(AIR, "air", "LUFTHANSA  220########|KOELN", "Lufthansa", 140, 520),
    Merchant(AIR, "air", "EUROWINGS @@@@@@|DUESSELDORF", "Eurowings", 90, 310),
    Merchant(AIR, "air", "OPODO* FLUG @@@@@@|OPODO.DE", "Flight (Opodo)", 110, 420),
    Merchant(AIR, "air", "RYANAIR    22400#####|DUBLIN", "Ryanair", 45, 190, since=4),
)

ON_THE_ROAD = (
    Merchant(LODGING, "hotel", "MOTEL ONE CITY-HBF|CITY", "Motel One", 89, 139),
    Merchant(LODGING, "hotel", "HOTEL ADLER|CITY", "Hotel Adler", 95, 160),
    Merchant(LODGING, "hotel", "BOOKING.COM *######|AMSTERDAM", "Hotel (booking.com)", 80, 150),
    Merchant(LODGING, "hotel", "AIRBNB * HM@@@@@@@@|LUXEMBOURG", "Airbnb", 70, 130),
    Merchant(LODGING, "hotel", "NOVUM HOTEL ###|CITY", "Novum Hotel", 75, 120, since=4),
    Merchant(LOCAL, "ride", "UBER   *TRIP|HELP.UBER.COM", "Uber", 9, 38),
    Merchant(LOCAL, "ride", "FREENOW*@@@@@@-#|HAMBURG", "FreeNow taxi", 11, 42, round_to=10),
    Merchant(LOCAL, "ride", "TAXI ####|CITY", "Taxi", 12, 45, round_to=10),
    Merchant(LOCAL, "ride", "SUMUP  *OEZDEMIR TAXI|CITY", "Taxi Özdemir", 12, 45, round_to=50),
    Merchant(LOCAL, "ride", "BOLT.EU/O/##########|TALLINN", "Bolt", 7, 28),
    Merchant(LOCAL, "ride", "BVG APP|BERLIN", "BVG", 3, 11, city="BERLIN", round_to=10),
    Merchant(LOCAL, "ride", "WIENER LINIEN ###|WIEN", "Wiener Linien", 3, 9, city="WIEN"),
    Merchant(CAR, "ride", "CONTIPARK P##|CITY", "Parking station", 6, 28, round_to=50),
    Merchant(CAR, "ride", "MILES MOBILITY|BERLIN", "Miles car", 9, 44),
    Merchant(LOCAL, "ride", "FUNKTAXI ZENTRALE|CITY", "Taxi", 11, 40, since=4, round_to=10),
    Merchant(MEALS, "meal", "UBER   *EATS|HELP.UBER.COM", "Uber Eats", 14, 39),
    Merchant(MEALS, "meal", "LE CROBAG ####|CITY", "Le Crobag", 3, 12, round_to=5),
    Merchant(MEALS, "meal", "BORDBISTRO DB FERNVERK|FRANKFURT", "Coffee on the train", 4, 22),
    Merchant(MEALS, "meal", "SUMUP  *CAFE LIEBLING|CITY", "Café Liebling", 5, 24, round_to=10),
    Merchant(MEALS, "meal", "REST. ZUR POST|CITY", "Zur Post", 22, 120, round_to=10),
    Merchant(MEALS, "meal", "HOTEL ADLER RESTAURANT|CITY", "Dinner at hotel", 24, 90, round_to=10),
    Merchant(MEALS, "meal", "VAPIANO ####|CITY", "Vapiano", 14, 46),
    Merchant(MEALS, "meal", "AUTOGRILL DE ###|CITY", "Autogrill", 6, 21),
    Merchant(MEALS, "meal", "RISTORANTE DA ENZO|CITY", "Da Enzo", 25, 110, since=4, round_to=10),
    Merchant(MEALS, "meal", "BACKWERK ####|CITY", "Backwerk", 3, 11, since=4),
    Merchant(LODGING, "hotel", "PREMIER INN ########|LONDON", "Premier Inn", 90, 150, "GBP"),
    Merchant(LODGING, "hotel", "TRAVELODGE GB###|LONDON", "Travelodge", 70, 120, "GBP"),
    Merchant(LOCAL, "ride", "TFL TRAVEL CH|TFL.GOV.UK/CP", "Tube", 3, 12, "GBP", round_to=10),
    Merchant(LOCAL, "ride", "UBER   *TRIP|HELP.UBER.COM", "Uber", 9, 44, "GBP"),
    Merchant(LOCAL, "ride", "ADDISON LEE LTD|LONDON", "Addison Lee", 18, 62, "GBP"),
    Merchant(MEALS, "meal", "PRET A MANGER ###|LONDON", "Pret", 5, 16, "GBP", round_to=5),
    Merchant(MEALS, "meal", "DISHOOM SHOREDITCH|LONDON", "Dishoom", 25, 95, "GBP", round_to=10),
    Merchant(MEALS, "meal", "SQ *MONMOUTH COFFEE|LONDON", "Monmouth Coffee", 4, 14, "GBP"),
    Merchant(LODGING, "hotel", "25HOURS HOTEL|ZUERICH", "25hours", 140, 210, "CHF"),
    Merchant(LOCAL, "ride", "SBB CFF FFS|BERN", "SBB", 4, 48, "CHF", round_to=10),
    Merchant(LOCAL, "ride", "ZVV TICKETAPP|ZUERICH", "Tram Zürich", 3, 12, "CHF", round_to=10),
    Merchant(MEALS, "meal", "COOP-#### ZH|ZUERICH", "Coop", 6, 28, "CHF", round_to=5),
    Merchant(MEALS, "meal", "REST. KRONENHALLE|ZUERICH", "Kronenhalle", 45, 160, "CHF"),
    Merchant(LODGING, "hotel", "SCANDIC KODBYEN|KOBENHAVN V", "Scandic", 990, 1600, "DKK"),
    Merchant(LOCAL, "ride", "DSB 7-TURS|KOBENHAVN", "DSB train", 24, 120, "DKK", round_to=100),
    Merchant(LOCAL, "ride", "DANTAXI 48#|KOBENHAVN", "Taxi", 120, 390, "DKK", round_to=100),
    Merchant(MEALS, "meal", "JOE & THE JUICE ###|KOBENHAVN", "Joe's juice", 55, 160, "DKK"),
    Merchant(MEALS, "meal", "7-ELEVEN A###|KOBENHAVN", "7-Eleven", 25, 110, "DKK"),
    Merchant(LODGING, "hotel", "POD 51 HOTEL|NEW YORK", "Pod 51", 130, 240, "USD"),
    Merchant(LOCAL, "ride", "MTA*NYCT PAYGO|NEW YORK", "Subway", 3, 12, "USD"),
    Merchant(LOCAL, "ride", "LYFT   *RIDE|LYFT.COM", "Lyft", 14, 70, "USD"),
    Merchant(MEALS, "meal", "TST* THE SMITH|NEW YORK", "The Smith", 28, 140, "USD"),
    Merchant(MEALS, "meal", "SQ *JOE COFFEE|NEW YORK", "Joe Coffee", 5, 19, "USD"),
)

EVERYDAY = (
    Merchant(OFFICE, "pens, paper", "AMZN MKTP DE*@@@@@@@@@|AMAZON.DE", "Amazon", 9, 85),
    Merchant(OFFICE, "whiteboard markers", "AMAZON.DE*@@@@@@@@@|AMAZON.DE", "Amazon", 8, 60),
    Merchant(OFFICE, "toner", "VIKING DIREKT ####|GROSSOSTHEIM", "Viking", 25, 160),
    Merchant(OFFICE, "stamps", "DEUTSCHE POST ####|HAMBURG", "Deutsche Post", 4, 48, round_to=5),
    Merchant(OFFICE, "parcel to client", "DHL PAKET*@@@@@@|BONN", "DHL", 6, 30),
    Merchant(OFFICE, "envelopes", "MCPAPER ####|HAMBURG", "McPaper", 5, 35, since=4),
    Merchant(EQUIPMENT, "headset", "MEDIAMARKT ####|HAMBURG", "MediaMarkt", 35, 190),
    Merchant(EQUIPMENT, "charger", "APPLE STORE R###|HAMBURG", "Apple Store", 29, 260),
    Merchant(EQUIPMENT, "monitor", "NBB NOTEBOOKSBILLIGER|SARSTEDT", "nbb.com", 140, 480),
    Merchant(MEALS, "team lunch", "LIEFERANDO.DE|BERLIN", "Lieferando", 28, 130),
    Merchant(MEALS, "drinks for the office", "REWE MARKT ####|HAMBURG", "Rewe", 8, 70),
    Merchant(MEALS, "coffee with candidate", "SUMUP  *CAFE LIEBLING|HAMBURG", "Liebling", 6, 25),
    Merchant(MEALS, "client lunch", "BLOCK HOUSE ##|HAMBURG", "Block House", 35, 150, round_to=10),
    Merchant(MEALS, "lunch with client", "DEAN & DAVID ###|HAMBURG", "dean&david", 12, 55),
    Merchant(MEALS, "breakfast meeting", "JUNGE BAECKEREI ###|HAMBURG", "Junge", 8, 40, since=4),
    Merchant(CAR, "fuel, pool car", "SHELL ####|HAMBURG", "Shell", 40, 105),
    Merchant(CAR, "fuel, pool car", "ARAL STATION ####|HAMBURG", "Aral", 40, 105),
    Merchant(CAR, "airport parking", "FLUGHAFEN HH PARKEN P#|HAMBURG", "Airport Hamburg", 19, 95),
    Merchant(CAR, "car to client", "SIXT RENT A CAR|PULLACH", "Sixt", 70, 240),
    Merchant(CAR, "parking", "EASYPARK *@@@@@|BERLIN", "EasyPark", 2, 14),
    Merchant(CAR, "charging, pool car", "ENBW MOBILITY+ ####|KARLSRUHE", "EnBW", 15, 60, since=4),
    Merchant(LOCAL, "to client", "HVV HAMBURG APP|HAMBURG", "HVV", 3, 9, round_to=10),
    Merchant(LOCAL, "taxi, late train", "FREENOW*@@@@@@-#|HAMBURG", "FreeNow", 11, 42, round_to=10),
    Merchant(TRAINING, "book", "THALIA BUCH ####|HAMBURG", "Thalia", 18, 75, round_to=10),
    Merchant(TRAINING, "online course", "UDEMY: ONLINE COURSES|UDEMY.COM", "Udemy", 13, 95),
    Merchant(TRAINING, "conference ticket", "EVENTBRITE *PYDATA HH|BERLIN", "PyData", 60, 240),
    Merchant(TRAINING, "e-book", "KINDLE SVCS*@@@@@@@@@|AMAZON.DE", "Kindle", 9, 48),
    Merchant(TRAINING, "training", "O'REILLY MEDIA, INC.|SEBASTOPOL", "O'Reilly", 45, 60),
    Merchant(None, "gift for jubilee", "SUMUP  *M KRUEGER|HAMBURG", "Flowers Krüger", 20, 60),
    Merchant(None, "translation", "PAYPAL *JSCHMIDT88|35314369001", "J. Schmidt", 60, 240),
    Merchant(None, "decoration", "ZETTLE_*KONTOR AM FLEE|HAMBURG", "Kontor am Fleet", 15, 80),
)

SUBSCRIPTIONS = (
    Merchant(SOFTWARE, "", "GITHUB, INC.|GITHUB.COM", "GitHub", 84, 85),
    Merchant(SOFTWARE, "", "ATLASSIAN* AMS-######|AMSTERDAM", "Atlassian", 160, 190),
    Merchant(SOFTWARE, "", "AMAZON WEB SERVICES|AWS.AMAZON.CO", "AWS", 310, 620),
    Merchant(SOFTWARE, "", "GOOGLE*CLOUD @@@@@@|CC@GOOGLE.COM", "Google Cloud", 45, 220),
    Merchant(SOFTWARE, "", "MSFT * E0@@@@@@@@|MSBILL.INFO", "Microsoft 365", 130, 150),
    Merchant(SOFTWARE, "", "PAYPAL *FIGMA INC|4029357733", "Figma", 45, 46),
    Merchant(SOFTWARE, "", "APPLE.COM/BILL|ITUNES.COM", "Apple apps", 3, 13),
    Merchant(SOFTWARE, "", "OPENAI *CHATGPT SUBSCR|OPENAI.COM", "ChatGPT", 60, 61, "USD"),
    Merchant(SOFTWARE, "", "NOTION LABS, INC.|NOTION.SO", "Notion", 96, 97, "USD"),
    Merchant(SOFTWARE, "", "SLACK T@@@@@@@@|SLACK.COM", "Slack", 105, 118, since=4),
    Merchant(PHONE, "", "TELEKOM MOBILFUNK|BONN", "Telekom", 210, 240),
    Merchant(PHONE, "", "AIRALO * ESIM|SINGAPORE", "Airalo", 5, 24, "USD"),
    Merchant(PHONE, "", "WIFIONICE PREMIUM|FRANKFURT", "Wi-Fi on train", 4, 12, since=4),
    Merchant(ADVERTISING, "", "GOOGLE *ADS##########|CC@GOOGLE.COM", "Google Ads", 180, 500),
    Merchant(ADVERTISING, "", "LINKEDIN ADS ########|LNKD.IN/BILL", "LinkedIn", 90, 320),
    Merchant(ADVERTISING, "", "FLYERALARM GMBH|WUERZBURG", "Flyeralarm", 45, 190),
)

CASH = (
    Merchant(LOCAL, "to the station", "", "Taxi", 8, 30, round_to=50),
    Merchant(MEALS, "tip", "", "Tip, restaurant", 3, 10, round_to=100),
    Merchant(CAR, "", "", "Parking meter", 2, 9, round_to=50),
    Merchant(MEALS, "", "", "Coffee", 3, 9, round_to=10),
    Merchant(OFFICE, "keys for the cellar", "", "Locksmith", 18, 45, round_to=50),
    Merchant(LOCAL, "", "", "Tram", 3, 6, round_to=10),
)
"""Paid out of one's own pocket: on reports, never on a card."""
