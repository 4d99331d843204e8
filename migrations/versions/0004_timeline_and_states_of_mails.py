"""The timeline of mails, the states that may follow each other, lanes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = ("queued", "sending", "deferred", "sent", "failed", "suppressed")
STATUSES = (
    "scheduled",
    "queued",
    "sending",
    "deferred",
    "sent",
    "delivered",
    "bounced",
    "complained",
    "rejected",
    "failed",
    "suppressed",
    "cancelled",
    "uncertain",
)
# The pairs of app/delivery/states.py; a test compares the two.
TRANSITIONS = {
    "scheduled": ("sending", "cancelled", "suppressed"),
    "queued": ("sending", "cancelled", "suppressed"),
    "deferred": ("sending", "cancelled", "suppressed", "failed"),
    "sending": ("sent", "deferred", "failed", "suppressed", "uncertain"),
    "sent": ("delivered", "bounced", "complained", "rejected"),
    "delivered": ("bounced", "complained"),
    "bounced": ("complained",),
    "uncertain": ("sent", "delivered", "bounced", "complained", "rejected", "queued"),
    "failed": ("queued",),
    "suppressed": ("queued",),
}
PAIRS = ", ".join(f"('{old}', '{new}')" for old, following in TRANSITIONS.items() for new in following)
FUNCTION = f"""
CREATE FUNCTION mails_keep_to_states() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN ({PAIRS}) THEN
        RAISE EXCEPTION 'a mail that is % cannot become %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mails_keep_to_states', TABLE = 'mails';
    END IF;
    RETURN NEW;
END
$$
"""
TRIGGER = """
CREATE TRIGGER mails_keep_to_states BEFORE UPDATE OF status ON mails
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION mails_keep_to_states()
"""

# What the partial indexes hold.
DUE = sa.text("status IN ('scheduled', 'queued', 'deferred')")
DUE_BEFORE = sa.text("status IN ('queued', 'deferred')")
NAMED = sa.text("provider_message_id IS NOT NULL")
TOLD = sa.text("provider_event_id IS NOT NULL")
UNKNOWN = sa.text("mail_id IS NULL")


def one_of(values: tuple[str, ...]) -> str:
    """The text of the check."""
    return f"status IN ({', '.join(repr(value) for value in values)})"


def upgrade() -> None:
    """Change the tables."""
    op.drop_constraint(op.f("ck_mails_status"), "mails")
    op.create_check_constraint(op.f("ck_mails_status"), "mails", one_of(STATUSES))
    op.create_table(
        "mail_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("mail_id", sa.BigInteger(), nullable=True),
        sa.Column("time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("provider_event_id", sa.String(length=255), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"], name=op.f("fk_mail_events_mail_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_events")),
    )
    op.create_index("ix_mail_events_mail_id", "mail_events", ["mail_id", "id"], unique=False)
    op.create_index(
        "ix_mail_events_unknown",
        "mail_events",
        ["provider_message_id"],
        unique=False,
        postgresql_where=UNKNOWN,
    )
    op.create_index(
        "uq_mail_events_provider_event",
        "mail_events",
        ["provider", "provider_event_id"],
        unique=True,
        postgresql_where=TOLD,
    )
    op.add_column("mails", sa.Column("lane", sa.SmallInteger(), server_default="0", nullable=False))
    op.drop_index("ix_mails_due", table_name="mails", postgresql_where=DUE_BEFORE)
    op.create_index(
        "ix_mails_due",
        "mails",
        ["lane", "next_attempt_at", "id"],
        unique=False,
        postgresql_where=DUE,
    )
    op.create_index(
        "ix_mails_provider_message_id",
        "mails",
        ["provider_message_id"],
        unique=False,
        postgresql_where=NAMED,
    )
    op.create_check_constraint(op.f("ck_mails_lane"), "mails", "lane IN (0, 1)")
    op.execute(FUNCTION)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Change them back; what an older version has no word for becomes the nearest that it has."""
    op.execute("DROP TRIGGER mails_keep_to_states ON mails")
    op.execute("DROP FUNCTION mails_keep_to_states()")
    op.execute("UPDATE mails SET status = 'queued' WHERE status = 'scheduled'")
    op.execute("UPDATE mails SET status = 'sent', sent_at = coalesce(sent_at, now()) WHERE status = 'delivered'")
    op.execute("UPDATE mails SET status = 'failed' WHERE status IN ('bounced', 'complained', 'rejected', 'uncertain')")
    op.execute("UPDATE mails SET status = 'suppressed' WHERE status = 'cancelled'")
    op.drop_constraint(op.f("ck_mails_status"), "mails")
    op.create_check_constraint(op.f("ck_mails_status"), "mails", one_of(BEFORE))
    op.drop_index("ix_mails_provider_message_id", table_name="mails", postgresql_where=NAMED)
    op.drop_index("ix_mails_due", table_name="mails", postgresql_where=DUE)
    op.create_index(
        "ix_mails_due",
        "mails",
        ["next_attempt_at", "id"],
        unique=False,
        postgresql_where=DUE_BEFORE,
    )
    op.drop_column("mails", "lane")
    op.drop_index(
        "uq_mail_events_provider_event",
        table_name="mail_events",
        postgresql_where=TOLD,
    )
    op.drop_index("ix_mail_events_unknown", table_name="mail_events", postgresql_where=UNKNOWN)
    op.drop_index("ix_mail_events_mail_id", table_name="mail_events")
    op.drop_table("mail_events")
