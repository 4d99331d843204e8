"""The timeline and the states of mails; services, batches, suppressions, keys, counts of what is gone."""

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
    "sending": ("sent", "queued", "deferred", "failed", "suppressed", "uncertain"),
    "sent": ("delivered", "bounced", "complained", "rejected"),
    "rejected": ("delivered", "bounced", "complained"),
    "delivered": ("bounced", "complained"),
    "bounced": ("complained",),
    "uncertain": ("sent", "delivered", "bounced", "complained", "rejected", "queued", "failed"),
    "failed": ("queued",),
    "suppressed": ("queued",),
}
WAYS = ", ".join(f"'{old}>{new}'" for old, following in TRANSITIONS.items() for new in following)
FUNCTION = """
CREATE FUNCTION mails_keep_to_states() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a mail that is % cannot become %', OLD.status, NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'mails_keep_to_states', TABLE = 'mails';
END
$$
"""
# The condition is looked at a thousand times a second, and is quick; the function is called for what it refuses only.
TRIGGER = f"""
CREATE TRIGGER mails_keep_to_states BEFORE UPDATE OF status ON mails FOR EACH ROW
WHEN (OLD.status <> NEW.status AND (OLD.status || '>' || NEW.status) <> ALL (ARRAY[{WAYS}]))
EXECUTE FUNCTION mails_keep_to_states()
"""
# The first entry of a timeline is written with the mail itself, by whichever statement: it cannot be forgotten.
FIRST_ENTRY = """
CREATE FUNCTION mails_begin_timeline() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mail_events (mail_id, time, event) SELECT id, time, status FROM added;
    RETURN NULL;
END
$$
"""
FIRST_ENTRY_TRIGGER = """
CREATE TRIGGER mails_begin_timeline AFTER INSERT ON mails REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION mails_begin_timeline()
"""
DUE_BEFORE = sa.text("status IN ('queued', 'deferred')")
OVER = ("sent", "delivered", "bounced", "complained", "rejected", "failed", "suppressed", "cancelled")


def one_of(values: tuple[str, ...]) -> str:
    """The text of the check."""
    return f"status IN ({', '.join(repr(value) for value in values)})"


def upgrade() -> None:
    """Change the tables."""
    op.drop_constraint(op.f("ck_mails_status"), "mails")
    op.create_check_constraint(op.f("ck_mails_status"), "mails", one_of(STATUSES))
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("scope", "key", name=op.f("uq_idempotency_keys_scope_key")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "mail_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("mails", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "action", "status", name=op.f("pk_mail_counts")),
    )
    op.create_table(
        "mail_services",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("email_service", sa.String(length=16), server_default="smtp", nullable=False),
        sa.Column("sendgrid_key", sa.Text(), nullable=True),
        sa.Column("smtp_host", sa.String(length=255), nullable=True),
        sa.Column("smtp_port", sa.Integer(), nullable=True),
        sa.Column("smtp_username", sa.String(length=255), nullable=True),
        sa.Column("smtp_password", sa.Text(), nullable=True),
        sa.Column("smtp_encryption", sa.String(length=16), server_default="tls", nullable=False),
        sa.Column("mails_per_second", sa.Integer(), nullable=True),
        sa.Column("mails_per_day", sa.Integer(), nullable=True),
        sa.CheckConstraint("email_service IN ('smtp', 'sendgrid')", name=op.f("ck_mail_services_email_service")),
        sa.CheckConstraint("name NOT IN ('smtp', 'sendgrid', 'disable')", name=op.f("ck_mail_services_name")),
        sa.CheckConstraint(
            "smtp_encryption IN ('tls', 'ssl', 'tls_optional', 'tls-optional', 'none', 'no-encryption')",
            name=op.f("ck_mail_services_smtp_encryption"),
        ),
        sa.CheckConstraint("mails_per_day > 0", name=op.f("ck_mail_services_mails_per_day")),
        sa.CheckConstraint("mails_per_second > 0", name=op.f("ck_mail_services_mails_per_second")),
        sa.CheckConstraint("smtp_port BETWEEN 1 AND 65535", name=op.f("ck_mail_services_smtp_port")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_services")),
        sa.UniqueConstraint("name", name=op.f("uq_mail_services_name")),
    )
    op.create_table(
        "soft_bounces",
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("count", sa.SmallInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_soft_bounces")),
    )
    op.create_table(
        "mail_batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_mail_batches_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mail_batches_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_batches")),
    )
    op.create_index(
        "ix_mail_batches_event_id",
        "mail_batches",
        ["event_id"],
        unique=False,
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
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
        sa.Column("about", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"], name=op.f("fk_mail_events_mail_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_events")),
    )
    op.create_index("ix_mail_events_mail_id", "mail_events", ["mail_id", "id"], unique=False)
    op.create_index(
        "ix_mail_events_about",
        "mail_events",
        ["time"],
        unique=False,
        postgresql_where=sa.text("about IS NOT NULL"),
    )
    op.create_index(
        "ix_mail_events_unknown_time",
        "mail_events",
        ["time"],
        unique=False,
        postgresql_where=sa.text("mail_id IS NULL"),
    )
    op.create_index(
        "uq_mail_events_provider_event",
        "mail_events",
        ["provider", "provider_event_id"],
        unique=True,
        postgresql_where=sa.text("provider_event_id IS NOT NULL"),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("mail_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "reason IN ('hard-bounce', 'soft-bounces', 'complaint', 'manual')", name=op.f("ck_suppressions_reason")
        ),
        sa.CheckConstraint("address = lower(address)", name=op.f("ck_suppressions_address")),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"], name=op.f("fk_suppressions_mail_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_suppressions_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("address", name=op.f("uq_suppressions_address")),
    )
    op.create_index(op.f("ix_suppressions_mail_id"), "suppressions", ["mail_id"], unique=False)
    op.add_column("mail_attachments", sa.Column("is_essential", sa.Boolean(), server_default="true", nullable=False))
    op.add_column("mail_attachments", sa.Column("problem", sa.Text(), nullable=True))
    op.alter_column("mail_attachments", "content", existing_type=postgresql.BYTEA(), nullable=True)
    op.add_column("mails", sa.Column("batch_id", sa.BigInteger(), nullable=True))
    op.add_column("mails", sa.Column("key", sa.String(length=255), nullable=True))
    op.add_column("mails", sa.Column("key_digest", sa.String(length=64), nullable=True))
    op.add_column("mails", sa.Column("body_removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mails", sa.Column("lane", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("mails", sa.Column("retries", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("mails", sa.Column("doubts", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column(
        "mails",
        sa.Column(
            "give_up_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now() + interval '24 hours'"),
            nullable=False,
        ),
    )
    # As long as the version before tried a mail; retention counts from here too.
    op.execute("UPDATE mails SET give_up_at = time + interval '24 hours'")
    op.drop_index("ix_mails_due", table_name="mails", postgresql_where=DUE_BEFORE)
    op.create_index(
        "ix_mails_due",
        "mails",
        ["lane", "next_attempt_at", "id"],
        unique=False,
        postgresql_include=["status"],
        postgresql_where=sa.text("status IN ('scheduled', 'queued', 'deferred')"),
    )
    op.create_index(
        "ix_mails_batch_id", "mails", ["batch_id", "id"], unique=False, postgresql_where=sa.text("batch_id IS NOT NULL")
    )
    op.create_index(
        "ix_mails_provider_message_id",
        "mails",
        ["provider_message_id"],
        unique=False,
        postgresql_where=sa.text("provider_message_id IS NOT NULL"),
    )
    op.create_index(
        "ix_mails_uncertain",
        "mails",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'uncertain'"),
    )
    op.create_index(
        "ix_mails_over", "mails", ["status", "give_up_at"], unique=False, postgresql_where=sa.text(one_of(OVER))
    )
    op.create_index(
        "ix_mails_body",
        "mails",
        ["give_up_at"],
        unique=False,
        postgresql_where=sa.text(f"body_removed_at IS NULL AND {one_of(OVER)}"),
    )
    op.create_index("uq_mails_key", "mails", ["key"], unique=True, postgresql_where=sa.text("key IS NOT NULL"))
    op.create_foreign_key(op.f("fk_mails_batch_id"), "mails", "mail_batches", ["batch_id"], ["id"], ondelete="SET NULL")
    op.add_column("settings", sa.Column("mails_per_second", sa.Integer(), nullable=True))
    op.add_column("settings", sa.Column("mails_per_day", sa.Integer(), nullable=True))
    op.add_column("settings", sa.Column("sendgrid_webhook_key", sa.Text(), nullable=True))
    op.add_column("settings", sa.Column("uncertain_mails", sa.String(length=8), server_default="retry", nullable=False))
    op.add_column("settings", sa.Column("mail_body_days", sa.Integer(), server_default="90", nullable=True))
    op.add_column("settings", sa.Column("mail_days", sa.Integer(), server_default="365", nullable=True))
    op.add_column("settings", sa.Column("mail_problem_days", sa.Integer(), server_default="730", nullable=True))
    op.create_check_constraint(op.f("ck_mails_lane"), "mails", "lane IN (0, 1)")
    op.create_check_constraint(op.f("ck_mails_key"), "mails", "(key IS NULL) = (key_digest IS NULL)")
    for column in ("mails_per_second", "mails_per_day"):
        op.create_check_constraint(op.f(f"ck_settings_{column}"), "settings", f"{column} > 0")
    for column in ("mail_body_days", "mail_days", "mail_problem_days"):
        op.create_check_constraint(op.f(f"ck_settings_{column}"), "settings", f"{column} BETWEEN 1 AND 36500")
    op.create_check_constraint(op.f("ck_settings_uncertain_mails"), "settings", "uncertain_mails IN ('retry', 'hold')")
    for statement in (FUNCTION, TRIGGER, FIRST_ENTRY, FIRST_ENTRY_TRIGGER):
        op.execute(statement)


def downgrade() -> None:
    """Change them back; what an older version has no word for becomes the nearest that it has."""
    for name in ("mails_begin_timeline", "mails_keep_to_states"):
        op.execute(f"DROP TRIGGER {name} ON mails")
        op.execute(f"DROP FUNCTION {name}()")
    op.execute("UPDATE mails SET status = 'queued' WHERE status = 'scheduled'")
    op.execute("UPDATE mails SET status = 'sent', sent_at = coalesce(sent_at, now()) WHERE status = 'delivered'")
    op.execute("UPDATE mails SET status = 'failed' WHERE status IN ('bounced', 'complained', 'rejected', 'uncertain')")
    op.execute("UPDATE mails SET status = 'suppressed' WHERE status = 'cancelled'")
    op.execute("DELETE FROM mail_attachments WHERE content IS NULL")
    op.drop_constraint(op.f("ck_mails_status"), "mails")
    op.create_check_constraint(op.f("ck_mails_status"), "mails", one_of(BEFORE))
    for column in (
        "mails_per_second",
        "mails_per_day",
        "mail_body_days",
        "mail_days",
        "mail_problem_days",
        "uncertain_mails",
    ):
        op.drop_constraint(op.f(f"ck_settings_{column}"), "settings")
    op.drop_constraint(op.f("ck_mails_lane"), "mails")
    op.drop_constraint(op.f("ck_mails_key"), "mails")
    op.drop_column("settings", "mail_problem_days")
    op.drop_column("settings", "mail_days")
    op.drop_column("settings", "mail_body_days")
    op.drop_column("settings", "uncertain_mails")
    op.drop_column("settings", "sendgrid_webhook_key")
    op.drop_column("settings", "mails_per_day")
    op.drop_column("settings", "mails_per_second")
    op.drop_constraint(op.f("fk_mails_batch_id"), "mails", type_="foreignkey")
    op.drop_index("uq_mails_key", table_name="mails", postgresql_where=sa.text("key IS NOT NULL"))
    op.drop_index("ix_mails_body", table_name="mails")
    op.drop_index("ix_mails_over", table_name="mails")
    op.drop_index("ix_mails_uncertain", table_name="mails", postgresql_where=sa.text("status = 'uncertain'"))
    op.drop_index(
        "ix_mails_provider_message_id", table_name="mails", postgresql_where=sa.text("provider_message_id IS NOT NULL")
    )
    op.drop_index("ix_mails_batch_id", table_name="mails", postgresql_where=sa.text("batch_id IS NOT NULL"))
    op.drop_index(
        "ix_mails_due", table_name="mails", postgresql_where=sa.text("status IN ('scheduled', 'queued', 'deferred')")
    )
    op.create_index("ix_mails_due", "mails", ["next_attempt_at", "id"], unique=False, postgresql_where=DUE_BEFORE)
    op.drop_column("mails", "give_up_at")
    op.drop_column("mails", "doubts")
    op.drop_column("mails", "retries")
    op.drop_column("mails", "lane")
    op.drop_column("mails", "body_removed_at")
    op.drop_column("mails", "key_digest")
    op.drop_column("mails", "key")
    op.drop_column("mails", "batch_id")
    op.alter_column("mail_attachments", "content", existing_type=postgresql.BYTEA(), nullable=False)
    op.drop_column("mail_attachments", "problem")
    op.drop_column("mail_attachments", "is_essential")
    op.drop_index(op.f("ix_suppressions_mail_id"), table_name="suppressions")
    op.drop_table("suppressions")
    op.drop_index(
        "uq_mail_events_provider_event",
        table_name="mail_events",
        postgresql_where=sa.text("provider_event_id IS NOT NULL"),
    )
    op.drop_index("ix_mail_events_unknown_time", table_name="mail_events")
    op.drop_index("ix_mail_events_about", table_name="mail_events", postgresql_where=sa.text("about IS NOT NULL"))
    op.drop_index("ix_mail_events_mail_id", table_name="mail_events")
    op.drop_table("mail_events")
    op.drop_index(
        "ix_mail_batches_event_id", table_name="mail_batches", postgresql_where=sa.text("event_id IS NOT NULL")
    )
    op.drop_table("mail_batches")
    op.drop_table("soft_bounces")
    op.drop_table("mail_services")
    op.drop_table("mail_counts")
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
