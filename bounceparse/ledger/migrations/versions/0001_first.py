"""The first shape of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bounceparse.ledger.schema import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "bounce_events",
        number(),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("received", Moment(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("last_seen", Moment(), nullable=False),
        *text(
            digest=64, origin=4096, address=320, domain=320, list=998, sender=320, message_id=998, arrived=40, kind=20, bounce=8, reason=60, fault=20,
            certainty=20, rule=998, status=20, reply_code=8, said=20, command=20, diagnostic=2000, original_address=320, final_address=320,
            remote_mta=998, reporting_mta=998, dialect=60, blocklist=998, provider=998, proof=20, proof_by=20, action=20, policy=120, scope=20,
        ),
        sa.Column("until", Moment()),
        *text(because=2000, strike=60, superseded_by=80),
        sa.PrimaryKeyConstraint("id", name="pk_bounce_events"),
        sa.UniqueConstraint("key", name="uq_bounce_events_key"),
    )  # fmt: skip
    op.create_index("ix_bounce_events_address_received", "bounce_events", ["address", "received"])
    op.create_index("ix_bounce_events_received", "bounce_events", ["received"])
    op.create_index("ix_bounce_events_action_received", "bounce_events", ["action", "received"])
    op.create_table(
        "bounce_strikes",
        sa.Column("key", sa.String(80), nullable=False),
        *text(address=320, reason=60, list=998, sender=320),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_bounce_strikes"),
    )
    op.create_index("ix_bounce_strikes_address_at", "bounce_strikes", ["address", "at"])
    op.create_table(
        "bounce_suppressions",
        number(),
        *text(address=320, domain=320, scope=20, place=998, reason=60),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment()),
        *text(why=2000, policy=120, evidence=20_000, added_by=998),
        sa.Column("undone", Moment()),
        *text(undone_by=998),
        sa.PrimaryKeyConstraint("id", name="pk_bounce_suppressions"),
    )
    holds = sa.text("undone IS NULL")
    keys = ["address", "scope", "place"]
    op.create_index("ix_bounce_suppressions_holding", "bounce_suppressions", keys, unique=True, sqlite_where=holds, postgresql_where=holds)
    op.create_index("ix_bounce_suppressions_domain_since", "bounce_suppressions", ["domain", "since"])
    op.create_index("ix_bounce_suppressions_address", "bounce_suppressions", ["address"])
    op.create_table(
        "bounce_delivered",
        *text(address=320, key="address"),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False, server_default="1"),
        *text(told_by=998),
        sa.PrimaryKeyConstraint("address", name="pk_bounce_delivered"),
    )
    op.create_table(
        "bounce_addresses",
        *text(address=320, domain=320, key="address"),
        sa.Column("heard", Moment(), nullable=False),
        sa.Column("failing", Moment()),
        sa.PrimaryKeyConstraint("address", name="pk_bounce_addresses"),
    )
    op.create_index("ix_bounce_addresses_domain_failing", "bounce_addresses", ["domain", "failing"])
    op.create_table(
        "bounce_domains",
        *text(domain=320, key="domain"),
        sa.Column("known", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("domain", name="pk_bounce_domains"),
    )
    op.create_table(
        "bounce_quarantine",
        number(),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="1"),
        *text(reason=2000, origin=4096, version=60),
        sa.Column("raw", sa.LargeBinary(), sa.CheckConstraint("length(raw) <= 26214400", name="raw"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bounce_quarantine"),
        sa.UniqueConstraint("digest", name="uq_bounce_quarantine_digest"),
    )
    op.create_table(
        "bounce_settings",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_bounce_settings"),
    )


def downgrade() -> None:
    """Take all tables away."""
    for name in ("settings", "quarantine", "domains", "addresses", "delivered", "suppressions", "strikes", "events"):
        op.drop_table(f"bounce_{name}")


def number() -> sa.Column[int]:
    """A number for each row."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False)


def text(key: str = "", **lengths: int) -> list[sa.Column[str]]:
    """Columns of text, each with the most characters that it takes; all but the key are empty where nothing is said."""
    return [
        sa.Column(
            name, sa.Text(), sa.CheckConstraint(f"length({name}) <= {length}", name=name), nullable=False, server_default=None if name == key else ""
        )
        for name, length in lengths.items()
    ]
