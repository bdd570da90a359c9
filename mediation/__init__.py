"""The mediation office's own work: accept a matter, record, sign, void and replace agreements, print them.

Front door: each function takes the open unit of work first and returns the events that others act on
(``hub/choreography.py``); it calls no other room.
"""

from mediation.agreements import (
    AgreedInstalment,
    NewAgreement,
    Signature,
    draft_agreement,
    live_agreement,
    move_confirmation,
    sign_agreement,
    signed_text,
    void_agreement,
)
from mediation.machines import MACHINES
from mediation.matters import (
    MatterParty,
    NewMatter,
    accept_matter,
    matter,
    matter_by_number,
    matters,
    move_matter,
    number_of,
    set_account,
)
from mediation.printing import agreement_html

__all__ = [
    "MACHINES",
    "AgreedInstalment",
    "MatterParty",
    "NewAgreement",
    "NewMatter",
    "Signature",
    "accept_matter",
    "agreement_html",
    "draft_agreement",
    "live_agreement",
    "matter",
    "matter_by_number",
    "matters",
    "move_confirmation",
    "move_matter",
    "number_of",
    "set_account",
    "sign_agreement",
    "signed_text",
    "void_agreement",
]
