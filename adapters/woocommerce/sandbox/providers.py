"""The providers that the Shipment Tracking plugin knows, and what it shows of one."""

from adapters.woocommerce.sandbox.ordering import Tracking
from adapters.woocommerce.sandbox.text import slug

# A few of the plugin's providers, by country, with the place of the number in their address.
PROVIDERS: dict[str, dict[str, str]] = {
    "Australia": {"Australia Post": "https://auspost.com.au/mypost/track/#/details/%1$s"},
    "Canada": {
        "Canada Post": "https://www.canadapost.ca/track-reperage/en#/resultList?searchFor=%1$s"
    },
    "France": {
        "Colissimo": "https://www.laposte.fr/outils/suivre-vos-envois?code=%1$s",
        "Chronopost": "https://www.chronopost.fr/tracking-no-cms/suivi-page?listeNumerosLT=%1$s",
    },
    "Germany": {
        "DHL Intraship (DE)": "https://www.dhl.de/de/privatkunden.html?piececode=%1$s",
        "Hermes": "https://www.myhermes.de/empfangen/sendungsverfolgung/#%1$s",
        "DPD.de": "https://tracking.dpd.de/parcelstatus?query=%1$s&locale=en_DE",
    },
    "United Kingdom": {
        "Royal Mail": "https://www3.royalmail.com/track-your-item#/tracking-results/%1$s",
        "Parcelforce": "https://www.parcelforce.com/track-trace?trackNumber=%1$s",
    },
    "United States": {
        "DHL US": "https://www.dhl.com/us-en/home/tracking.html?tracking-id=%1$s",
        "FedEx": "https://www.fedex.com/apps/fedextrack/?action=track&tracknumbers=%1$s",
        "UPS": "https://www.ups.com/track?loc=en_US&tracknum=%1$s",
        "USPS": "https://tools.usps.com/go/TrackConfirmAction_input?qtc_tLabels1=%1$s",
    },
}


def shown_provider(row: Tracking) -> tuple[str, str]:
    """Return the name and address shown; both are empty where the list has no such provider."""
    if row.custom_provider:
        return row.custom_provider, row.custom_link
    for providers in PROVIDERS.values():
        for name, address in providers.items():
            if slug(name) == row.provider:
                return name, address.replace("%1$s", row.number)
    return "", ""
