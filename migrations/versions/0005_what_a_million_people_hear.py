"""Types of happenings, listens, preferences, fan-out, broadcasts; SMS and chat; service accounts, markers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A person who was told twice of one happening was told of two of the same words: the second one gets its own.
SPLIT = """
DO $$
DECLARE told record; copied bigint;
BEGIN
    FOR told IN
        SELECT id, happening_id FROM (
            SELECT id, happening_id, row_number() OVER (PARTITION BY happening_id, user_id ORDER BY id) AS time
            FROM notifications
        ) AS numbered WHERE time > 1 ORDER BY id
    LOOP
        INSERT INTO happenings (action, title, message, link, data, actor_id, event_id, created_at)
            SELECT action, title, message, link, data, actor_id, event_id, created_at
            FROM happenings WHERE id = told.happening_id RETURNING id INTO copied;
        UPDATE notifications SET happening_id = copied WHERE id = told.id;
    END LOOP;
END
$$
"""
# What foreign keys would do, for a whole statement at once: they lock and look up row by row, which was more than half
# of what telling a million people took (docs/decisions/0024-references-of-notifications-by-trigger.md).
REFERENCE = (
    """
CREATE FUNCTION notifications_have_users() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE missing bigint;
BEGIN
    SELECT user_id INTO missing FROM added WHERE NOT EXISTS (SELECT FROM users WHERE id = added.user_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no user % to be notified', missing
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'notifications_have_users', TABLE = 'notifications';
    END IF;
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER notifications_have_users AFTER INSERT ON notifications REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION notifications_have_users()
""",
    """
CREATE FUNCTION notifications_stay_with_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a notification does not become another user''s'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'notifications_stay_with_users', TABLE = 'notifications';
END
$$
""",
    """
CREATE TRIGGER notifications_stay_with_users BEFORE UPDATE OF user_id ON notifications FOR EACH ROW
WHEN (OLD.user_id <> NEW.user_id) EXECUTE FUNCTION notifications_stay_with_users()
""",
    # There are few of them in a statement: their rows are locked, as the key would.
    """
CREATE FUNCTION notifications_have_happenings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wanted bigint[] := ARRAY(SELECT DISTINCT happening_id FROM added); missing bigint;
BEGIN
    PERFORM FROM happenings WHERE id = ANY(wanted) ORDER BY id FOR KEY SHARE;
    SELECT id INTO missing FROM unnest(wanted) AS each (id)
    WHERE NOT EXISTS (SELECT FROM happenings WHERE happenings.id = each.id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no happening % to be told', missing
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'notifications_have_happenings',
                TABLE = 'notifications';
    END IF;
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER notifications_have_happenings AFTER INSERT ON notifications REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION notifications_have_happenings()
""",
    """
CREATE FUNCTION notifications_stay_with_happenings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a notification does not become another happening''s'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'notifications_stay_with_happenings', TABLE = 'notifications';
END
$$
""",
    """
CREATE TRIGGER notifications_stay_with_happenings BEFORE UPDATE OF happening_id ON notifications FOR EACH ROW
WHEN (OLD.happening_id <> NEW.happening_id) EXECUTE FUNCTION notifications_stay_with_happenings()
""",
    """
CREATE FUNCTION happenings_take_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM notifications WHERE happening_id IN (SELECT id FROM removed);
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER happenings_take_notifications AFTER DELETE ON happenings REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION happenings_take_notifications()
""",
    # Whoever is inserting is waited for, and whoever begins later waits, and then finds the user gone.
    """
CREATE FUNCTION users_wait_for_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE notifications IN SHARE ROW EXCLUSIVE MODE;
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER users_wait_for_notifications BEFORE DELETE ON users
FOR EACH STATEMENT EXECUTE FUNCTION users_wait_for_notifications()
""",
    """
CREATE FUNCTION users_take_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM notifications WHERE user_id IN (SELECT id FROM removed);
    RETURN NULL;
END
$$
""",
    """
CREATE TRIGGER users_take_notifications AFTER DELETE ON users REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION users_take_notifications()
""",
)
# The first entry of a timeline is written with the message itself, by whichever statement: it cannot be forgotten.
FIRST_ENTRY = """
CREATE FUNCTION channel_messages_begin_timeline() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO channel_message_events (message_id, time, event) SELECT id, time, status FROM added;
    RETURN NULL;
END
$$
"""
FIRST_ENTRY_TRIGGER = """
CREATE TRIGGER channel_messages_begin_timeline AFTER INSERT ON channel_messages REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION channel_messages_begin_timeline()
"""


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "channel_services",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("max_attempts", sa.SmallInteger(), server_default="3", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("channel IN ('sms', 'chat')", name=op.f("ck_channel_services_channel")),
        sa.CheckConstraint("max_attempts BETWEEN 1 AND 20", name=op.f("ck_channel_services_max_attempts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_services")),
        sa.UniqueConstraint("name", name=op.f("uq_channel_services_name")),
    )
    op.create_table(
        "event_types",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), server_default="{in-app}", nullable=False),
        sa.Column("is_critical", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_listenable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("origin", sa.String(length=8), server_default="api", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("channels <@ ARRAY['in-app', 'mail', 'sms', 'chat']", name=op.f("ck_event_types_channels")),
        sa.CheckConstraint("origin IN ('code', 'api')", name=op.f("ck_event_types_origin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_types")),
        sa.UniqueConstraint("name", name=op.f("uq_event_types_name")),
    )
    op.create_table(
        "service_tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "scopes <@ ARRAY['happenings:write', 'event-types:write']", name=op.f("ck_service_tokens_scopes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_service_tokens_digest")),
        sa.UniqueConstraint("name", name=op.f("uq_service_tokens_name")),
    )
    op.create_table(
        "delivery_hours",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("digest_hour", sa.SmallInteger(), server_default="8", nullable=False),
        sa.Column("digest_weekday", sa.SmallInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name=op.f("ck_delivery_hours_quiet")),
        sa.CheckConstraint("digest_hour BETWEEN 0 AND 23", name=op.f("ck_delivery_hours_digest_hour")),
        sa.CheckConstraint("digest_weekday BETWEEN 0 AND 6", name=op.f("ck_delivery_hours_digest_weekday")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_delivery_hours_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_delivery_hours")),
    )
    op.create_table(
        "notification_markers",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("seen_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_markers_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_notification_markers")),
    )
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("pattern", sa.String(length=255), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("minutes", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint("(mode = 'unread') = (minutes IS NOT NULL)", name=op.f("ck_preferences_minutes")),
        sa.CheckConstraint("channel = 'mail' OR mode IN ('on', 'off')", name=op.f("ck_preferences_only_mail_waits")),
        sa.CheckConstraint("channel IN ('in-app', 'mail', 'sms', 'chat')", name=op.f("ck_preferences_channel")),
        sa.CheckConstraint(
            "mode IN ('on', 'off', 'hourly', 'daily', 'weekly', 'unread')", name=op.f("ck_preferences_mode")
        ),
        sa.CheckConstraint("minutes BETWEEN 1 AND 10080", name=op.f("ck_preferences_minutes_range")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_preferences_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "pattern", "channel", name=op.f("pk_preferences")),
    )
    op.create_table(
        "listens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("pattern", sa.String(length=255), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("session_id", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("includes_own", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("num_nonnulls(event_id, session_id, subject) <= 1", name=op.f("ck_listens_one_thing")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_listens_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_listens_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_listens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listens")),
        sa.UniqueConstraint(
            "user_id",
            "pattern",
            "event_id",
            "session_id",
            "subject",
            name=op.f("uq_listens_user_id_pattern_event_id_session_id_subject"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "ix_listens_event_id", "listens", ["event_id"], unique=False, postgresql_where=sa.text("event_id IS NOT NULL")
    )
    op.create_index(
        "ix_listens_everywhere",
        "listens",
        ["pattern", "user_id"],
        unique=False,
        postgresql_where=sa.text("event_id IS NULL AND session_id IS NULL AND subject IS NULL"),
    )
    op.create_index(
        "ix_listens_session_id",
        "listens",
        ["session_id"],
        unique=False,
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "ix_listens_subject", "listens", ["subject"], unique=False, postgresql_where=sa.text("subject IS NOT NULL")
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("state", sa.String(length=8), server_default="draft", nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("happening_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("recipients", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recalled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(audience = 'everyone') = (event_id IS NULL)", name=op.f("ck_broadcasts_event")),
        sa.CheckConstraint("(audience = 'roles') = (roles <> '{}')", name=op.f("ck_broadcasts_roles")),
        sa.CheckConstraint("(state = 'draft') = (sent_at IS NULL)", name=op.f("ck_broadcasts_sent_at")),
        sa.CheckConstraint("(state = 'recalled') = (recalled_at IS NOT NULL)", name=op.f("ck_broadcasts_recalled_at")),
        sa.CheckConstraint(
            "audience IN ('everyone', 'roles', 'speakers', 'ticket-holders')", name=op.f("ck_broadcasts_audience")
        ),
        sa.CheckConstraint("state IN ('draft', 'sending', 'sent', 'recalled')", name=op.f("ck_broadcasts_state")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_broadcasts_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happenings.id"], name=op.f("fk_broadcasts_happening_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["mail_batches.id"], name=op.f("fk_broadcasts_batch_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_broadcasts_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    op.create_index(
        "ix_broadcasts_event_id",
        "broadcasts",
        ["event_id"],
        unique=False,
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_index("ix_broadcasts_happening_id", "broadcasts", ["happening_id"], unique=True)
    op.create_table(
        "channel_messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("happening_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="queued", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claim", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("service", sa.String(length=32), nullable=True),
        sa.Column("error_class", sa.String(length=16), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'sending') = (claim IS NOT NULL)", name=op.f("ck_channel_messages_claim")),
        sa.CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name=op.f("ck_channel_messages_lease")),
        sa.CheckConstraint("channel IN ('sms', 'chat')", name=op.f("ck_channel_messages_channel")),
        sa.CheckConstraint(
            "error_class IN ('transient', 'throttled', 'connection', 'permanent', 'configuration')",
            name=op.f("ck_channel_messages_error_class"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'sending', 'deferred', 'sent', 'failed', 'suppressed', 'cancelled', 'uncertain')",
            name=op.f("ck_channel_messages_status"),
        ),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happenings.id"], name=op.f("fk_channel_messages_happening_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_channel_messages_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_messages")),
    )
    op.create_index(
        "ix_channel_messages_due",
        "channel_messages",
        ["channel", "next_attempt_at", "id"],
        unique=False,
        postgresql_include=["status"],
        postgresql_where=sa.text("status IN ('queued', 'deferred')"),
    )
    op.create_index(
        "ix_channel_messages_lease",
        "channel_messages",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'sending'"),
    )
    op.create_index(
        "ix_channel_messages_over",
        "channel_messages",
        ["status", "channel", "time"],
        unique=False,
        postgresql_where=sa.text("status IN ('sent', 'failed', 'suppressed', 'cancelled')"),
    )
    op.create_index(
        "ix_channel_messages_uncertain",
        "channel_messages",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'uncertain'"),
    )
    op.create_index("ix_channel_messages_user_id", "channel_messages", ["user_id"], unique=False)
    op.create_index(
        "uq_channel_messages_happening",
        "channel_messages",
        ["happening_id", "user_id", "channel"],
        unique=True,
        postgresql_where=sa.text("happening_id IS NOT NULL"),
    )
    op.create_table(
        "decisions",
        sa.Column("happening_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("pattern", sa.String(length=255), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('in-app', 'mail', 'sms', 'chat')", name=op.f("ck_decisions_channel")),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happenings.id"], name=op.f("fk_decisions_happening_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_decisions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("happening_id", "user_id", "channel", name=op.f("pk_decisions")),
    )
    op.create_table(
        "fanouts",
        sa.Column("happening_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), server_default="waiting", nullable=False),
        sa.Column("audience", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("recipients", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("notifications", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mails", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("worked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back", postgresql.JSONB(astext_type=sa.Text(), none_as_null=True), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'telling', 'told', 'recalled')", name=op.f("ck_fanouts_state")),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happenings.id"], name=op.f("fk_fanouts_happening_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("happening_id", name=op.f("pk_fanouts")),
    )
    op.create_index(
        "ix_fanouts_open",
        "fanouts",
        ["happening_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'telling')"),
    )
    op.create_index(
        "ix_fanouts_recalled",
        "fanouts",
        ["happening_id"],
        unique=False,
        postgresql_where=sa.text("state = 'recalled' AND finished_at IS NULL"),
    )
    op.create_table(
        "held_mails",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("happening_id", sa.BigInteger(), nullable=True),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("words", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("mode IN ('hourly', 'daily', 'weekly', 'unread')", name=op.f("ck_held_mails_mode")),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happenings.id"], name=op.f("fk_held_mails_happening_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_held_mails_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_mails")),
        sa.UniqueConstraint("happening_id", "user_id", name=op.f("uq_held_mails_happening_id_user_id")),
    )
    op.create_index("ix_held_mails_due", "held_mails", ["due_at", "user_id"], unique=False)
    op.create_index("ix_held_mails_user_id", "held_mails", ["user_id"], unique=False)
    op.create_table(
        "channel_message_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("service", sa.String(length=32), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["channel_messages.id"],
            name=op.f("fk_channel_message_events_message_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_message_events")),
    )
    op.create_index(
        "ix_channel_message_events_message_id", "channel_message_events", ["message_id", "id"], unique=False
    )
    op.create_table(
        "fanout_parts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("happening_id", sa.BigInteger(), nullable=False),
        sa.Column("user_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["fanouts.happening_id"], name=op.f("fk_fanout_parts_happening_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fanout_parts")),
    )
    op.create_index("ix_fanout_parts_happening_id", "fanout_parts", ["happening_id", "id"], unique=False)
    op.execute(FIRST_ENTRY)
    op.execute(FIRST_ENTRY_TRIGGER)
    op.add_column("happenings", sa.Column("event_type", sa.String(length=255), nullable=True))
    op.add_column("happenings", sa.Column("session_id", sa.BigInteger(), nullable=True))
    op.add_column("happenings", sa.Column("subject", sa.String(length=255), nullable=True))
    op.add_column("happenings", sa.Column("group_key", sa.String(length=255), nullable=True))
    op.add_column(
        "happenings", sa.Column("plan", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.create_index(
        "ix_happenings_session_id",
        "happenings",
        ["session_id"],
        unique=False,
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "ix_happenings_group_key",
        "happenings",
        ["group_key"],
        unique=False,
        postgresql_where=sa.text("group_key IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_happenings_session_id"), "happenings", "sessions", ["session_id"], ["id"], ondelete="SET NULL"
    )
    op.add_column("mails", sa.Column("user_id", sa.BigInteger(), nullable=True))
    op.drop_index(op.f("ix_mails_happening_id"), table_name="mails", postgresql_where="(happening_id IS NOT NULL)")
    op.create_index(
        "ix_mails_happening_id",
        "mails",
        ["happening_id", "user_id"],
        unique=False,
        postgresql_where=sa.text("happening_id IS NOT NULL"),
    )
    op.create_index(
        "ix_mails_user_id", "mails", ["user_id"], unique=False, postgresql_where=sa.text("user_id IS NOT NULL")
    )
    op.create_foreign_key(op.f("fk_mails_user_id"), "mails", "users", ["user_id"], ["id"], ondelete="SET NULL")
    op.add_column(
        "message_settings", sa.Column("sms_status", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.add_column(
        "message_settings", sa.Column("chat_status", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.execute(SPLIT)
    for statement in REFERENCE:
        op.execute(statement)
    op.drop_constraint("fk_notifications_user_id", "notifications", type_="foreignkey")
    op.drop_constraint("fk_notifications_happening_id", "notifications", type_="foreignkey")
    op.drop_index(op.f("ix_notifications_happening_id"), table_name="notifications")
    op.create_index("uq_notifications_happening_id_user_id", "notifications", ["happening_id", "user_id"], unique=True)
    op.add_column("users", sa.Column("tokens_ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("phone", sa.String(length=32), nullable=True))
    op.add_column("users", sa.Column("chat_address", sa.String(length=255), nullable=True))
    op.add_column("users", sa.Column("has_preferences", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "ix_users_tokens_ended_at",
        "users",
        ["tokens_ended_at"],
        unique=False,
        postgresql_where=sa.text("tokens_ended_at IS NOT NULL"),
    )
    op.create_index(
        "ix_users_has_preferences", "users", ["id"], unique=False, postgresql_where=sa.text("has_preferences")
    )


def downgrade() -> None:
    """Change them back."""
    op.drop_index("ix_users_has_preferences", table_name="users", postgresql_where=sa.text("has_preferences"))
    op.drop_index(
        "ix_users_tokens_ended_at", table_name="users", postgresql_where=sa.text("tokens_ended_at IS NOT NULL")
    )
    op.drop_column("users", "has_preferences")
    op.drop_column("users", "chat_address")
    op.drop_column("users", "phone")
    op.drop_column("users", "tokens_ended_at")
    for table, name in (
        ("notifications", "notifications_have_users"),
        ("notifications", "notifications_stay_with_users"),
        ("notifications", "notifications_have_happenings"),
        ("notifications", "notifications_stay_with_happenings"),
        ("happenings", "happenings_take_notifications"),
        ("users", "users_wait_for_notifications"),
        ("users", "users_take_notifications"),
    ):
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")
    for column, table in (("user_id", "users"), ("happening_id", "happenings")):
        op.create_foreign_key(
            f"fk_notifications_{column}", "notifications", table, [column], ["id"], ondelete="CASCADE"
        )
    op.drop_index("uq_notifications_happening_id_user_id", table_name="notifications")
    op.create_index(op.f("ix_notifications_happening_id"), "notifications", ["happening_id"], unique=False)
    op.drop_column("message_settings", "chat_status")
    op.drop_column("message_settings", "sms_status")
    op.drop_constraint(op.f("fk_mails_user_id"), "mails", type_="foreignkey")
    op.drop_index("ix_mails_user_id", table_name="mails", postgresql_where=sa.text("user_id IS NOT NULL"))
    op.drop_index("ix_mails_happening_id", table_name="mails", postgresql_where=sa.text("happening_id IS NOT NULL"))
    op.create_index(
        op.f("ix_mails_happening_id"),
        "mails",
        ["happening_id"],
        unique=False,
        postgresql_where="(happening_id IS NOT NULL)",
    )
    op.drop_column("mails", "user_id")
    op.drop_constraint(op.f("fk_happenings_session_id"), "happenings", type_="foreignkey")
    op.drop_index(
        "ix_happenings_session_id", table_name="happenings", postgresql_where=sa.text("session_id IS NOT NULL")
    )
    op.drop_index("ix_happenings_group_key", table_name="happenings", postgresql_where=sa.text("group_key IS NOT NULL"))
    op.drop_column("happenings", "plan")
    op.drop_column("happenings", "group_key")
    op.drop_column("happenings", "subject")
    op.drop_column("happenings", "session_id")
    op.drop_column("happenings", "event_type")
    op.drop_index("ix_fanout_parts_happening_id", table_name="fanout_parts")
    op.drop_table("fanout_parts")
    op.drop_index("ix_channel_message_events_message_id", table_name="channel_message_events")
    op.drop_table("channel_message_events")
    op.drop_index("ix_held_mails_user_id", table_name="held_mails")
    op.drop_index("ix_held_mails_due", table_name="held_mails")
    op.drop_table("held_mails")
    op.drop_index(
        "ix_fanouts_recalled",
        table_name="fanouts",
        postgresql_where=sa.text("state = 'recalled' AND finished_at IS NULL"),
    )
    op.drop_index("ix_fanouts_open", table_name="fanouts", postgresql_where=sa.text("state IN ('waiting', 'telling')"))
    op.drop_table("fanouts")
    op.drop_table("decisions")
    op.drop_index(
        "uq_channel_messages_happening",
        table_name="channel_messages",
        postgresql_where=sa.text("happening_id IS NOT NULL"),
    )
    op.drop_index("ix_channel_messages_user_id", table_name="channel_messages")
    op.drop_index(
        "ix_channel_messages_uncertain",
        table_name="channel_messages",
        postgresql_where=sa.text("status = 'uncertain'"),
    )
    op.drop_index(
        "ix_channel_messages_over",
        table_name="channel_messages",
        postgresql_where=sa.text("status IN ('sent', 'failed', 'suppressed', 'cancelled')"),
    )
    op.drop_index(
        "ix_channel_messages_lease", table_name="channel_messages", postgresql_where=sa.text("status = 'sending'")
    )
    op.drop_index(
        "ix_channel_messages_due",
        table_name="channel_messages",
        postgresql_where=sa.text("status IN ('queued', 'deferred')"),
    )
    op.drop_table("channel_messages")
    op.execute("DROP FUNCTION channel_messages_begin_timeline()")
    op.drop_index("ix_broadcasts_happening_id", table_name="broadcasts")
    op.drop_index("ix_broadcasts_event_id", table_name="broadcasts", postgresql_where=sa.text("event_id IS NOT NULL"))
    op.drop_table("broadcasts")
    op.drop_index("ix_listens_subject", table_name="listens", postgresql_where=sa.text("subject IS NOT NULL"))
    op.drop_index("ix_listens_session_id", table_name="listens", postgresql_where=sa.text("session_id IS NOT NULL"))
    op.drop_index(
        "ix_listens_everywhere",
        table_name="listens",
        postgresql_where=sa.text("event_id IS NULL AND session_id IS NULL AND subject IS NULL"),
    )
    op.drop_index("ix_listens_event_id", table_name="listens", postgresql_where=sa.text("event_id IS NOT NULL"))
    op.drop_table("listens")
    op.drop_table("preferences")
    op.drop_table("notification_markers")
    op.drop_table("delivery_hours")
    op.drop_table("service_tokens")
    op.drop_table("event_types")
    op.drop_table("channel_services")
