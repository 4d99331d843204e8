"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Every action of this version gets its switches; a later migration adds those of later actions.
ACTIONS = (
    "User Registration",
    "User Confirmation",
    "Reset Password",
    "Change Password",
    "New Session Proposal",
    "Session Accept or Reject",
)


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "activities",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
    )
    op.create_index(
        "ix_activities_time", "activities", [sa.literal_column("time DESC"), sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("identifier", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timezone", sa.String(length=64), server_default="UTC", nullable=False),
        sa.Column("location_name", sa.String(length=500), nullable=True),
        sa.Column("state", sa.String(length=16), server_default="draft", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'published')", name=op.f("ck_events_state")),
        sa.CheckConstraint("ends_at >= starts_at", name=op.f("ck_events_ends_after_start")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("identifier", name=op.f("uq_events_identifier")),
    )
    op.create_table(
        "message_settings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("mail_status", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("notification_status", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("user_control_status", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_settings")),
        sa.UniqueConstraint("action", name=op.f("uq_message_settings_action")),
    )
    op.create_table(
        "settings",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("app_name", sa.String(length=255), server_default="Usher", nullable=False),
        sa.Column("frontend_url", sa.String(length=500), nullable=True),
        sa.Column("email_service", sa.String(length=16), server_default="smtp", nullable=False),
        sa.Column("email_from", sa.String(length=254), server_default="noreply@example.org", nullable=False),
        sa.Column("email_from_name", sa.String(length=255), nullable=True),
        sa.Column("sendgrid_key", sa.Text(), nullable=True),
        sa.Column("smtp_host", sa.String(length=255), nullable=True),
        sa.Column("smtp_port", sa.Integer(), nullable=True),
        sa.Column("smtp_username", sa.String(length=255), nullable=True),
        sa.Column("smtp_password", sa.Text(), nullable=True),
        sa.Column("smtp_encryption", sa.String(length=16), server_default="tls", nullable=False),
        sa.CheckConstraint("email_service IN ('smtp', 'sendgrid', 'disable')", name=op.f("ck_settings_email_service")),
        sa.CheckConstraint(
            "smtp_encryption IN ('tls', 'ssl', 'tls_optional', 'tls-optional', 'none', 'no-encryption')",
            name=op.f("ck_settings_smtp_encryption"),
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_settings_one_row")),
        sa.CheckConstraint("smtp_port BETWEEN 1 AND 65535", name=op.f("ck_settings_smtp_port")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), server_default="", nullable=False),
        sa.Column("first_name", sa.String(length=255), nullable=True),
        sa.Column("last_name", sa.String(length=255), nullable=True),
        sa.Column("language", sa.String(length=35), server_default="en", nullable=False),
        sa.Column("timezone", sa.String(length=64), server_default="UTC", nullable=False),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("token_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email_lower", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "happenings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_happenings_actor_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_happenings_event_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_happenings")),
    )
    op.create_index(
        "ix_happenings_actor_id",
        "happenings",
        ["actor_id"],
        unique=False,
        postgresql_where=sa.text("actor_id IS NOT NULL"),
    )
    op.create_index(
        "ix_happenings_event_id",
        "happenings",
        ["event_id"],
        unique=False,
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("short_abstract", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=16), server_default="pending", nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'accepted', 'confirmed', 'rejected', 'canceled', 'withdrawn')",
            name=op.f("ck_sessions_state"),
        ),
        sa.CheckConstraint("ends_at >= starts_at", name=op.f("ck_sessions_ends_after_start")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_sessions_event_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_event_id_state", "sessions", ["event_id", "state"], unique=False)
    op.create_table(
        "speakers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("organisation", sa.String(length=500), nullable=True),
        sa.Column("country", sa.String(length=255), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_speakers_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_speakers_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speakers")),
    )
    op.create_index("ix_speakers_email_lower", "speakers", [sa.literal_column("lower(email)")], unique=False)
    op.create_index("ix_speakers_event_id", "speakers", ["event_id"], unique=False)
    op.create_index("ix_speakers_user_id", "speakers", ["user_id"], unique=False)
    op.create_table(
        "users_events_roles",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'organizer', 'coorganizer', 'track_organizer', 'moderator')",
            name=op.f("ck_users_events_roles_role"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_users_events_roles_event_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_users_events_roles_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users_events_roles")),
        sa.UniqueConstraint("user_id", "event_id", "role", name=op.f("uq_users_events_roles_user_id_event_id_role")),
    )
    op.create_index("ix_users_events_roles_event_id_role", "users_events_roles", ["event_id", "role"], unique=False)
    op.create_table(
        "mails",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("happening_id", sa.BigInteger(), nullable=True),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("bcc", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("reply_to", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=16), server_default="queued", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claim", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("error_class", sa.String(length=16), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'sending') = (claim IS NOT NULL)", name=op.f("ck_mails_claim")),
        sa.CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name=op.f("ck_mails_lease")),
        sa.CheckConstraint(
            "error_class IN ('transient', 'throttled', 'connection', 'permanent', 'configuration')",
            name=op.f("ck_mails_error_class"),
        ),
        sa.CheckConstraint("status <> 'sent' OR sent_at IS NOT NULL", name=op.f("ck_mails_sent_at")),
        sa.CheckConstraint(
            "status IN ('queued', 'sending', 'deferred', 'sent', 'failed', 'suppressed')", name=op.f("ck_mails_status")
        ),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happenings.id"], name=op.f("fk_mails_happening_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mails_message_id")),
    )
    op.create_index(
        "ix_mails_due",
        "mails",
        ["next_attempt_at", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'deferred')"),
    )
    op.create_index(
        "ix_mails_happening_id",
        "mails",
        ["happening_id"],
        unique=False,
        postgresql_where=sa.text("happening_id IS NOT NULL"),
    )
    op.create_index(
        "ix_mails_lease", "mails", ["lease_until"], unique=False, postgresql_where=sa.text("status = 'sending'")
    )
    op.create_index(
        "ix_mails_time", "mails", [sa.literal_column("time DESC"), sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("happening_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("is_read", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("is_read = (read_at IS NOT NULL)", name=op.f("ck_notifications_read_at")),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happenings.id"], name=op.f("fk_notifications_happening_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index("ix_notifications_happening_id", "notifications", ["happening_id"], unique=False)
    op.create_index(
        "ix_notifications_inbox",
        "notifications",
        ["user_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["user_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("NOT is_read AND deleted_at IS NULL"),
    )
    op.create_table(
        "speakers_sessions",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("speaker_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_speakers_sessions_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["speaker_id"], ["speakers.id"], name=op.f("fk_speakers_sessions_speaker_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", "speaker_id", name=op.f("pk_speakers_sessions")),
    )
    op.create_index("ix_speakers_sessions_speaker_id", "speakers_sessions", ["speaker_id"], unique=False)
    op.create_table(
        "mail_attachments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("mail_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=255), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mails.id"], name=op.f("fk_mail_attachments_mail_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_attachments")),
    )
    op.create_index("ix_mail_attachments_mail_id", "mail_attachments", ["mail_id"], unique=False)
    op.execute("INSERT INTO settings (id) VALUES (1)")
    op.bulk_insert(
        sa.table("message_settings", sa.column("action", sa.String)), [{"action": action} for action in ACTIONS]
    )


def downgrade() -> None:
    """Change them back."""
    op.drop_index("ix_mail_attachments_mail_id", table_name="mail_attachments")
    op.drop_table("mail_attachments")
    op.drop_index("ix_speakers_sessions_speaker_id", table_name="speakers_sessions")
    op.drop_table("speakers_sessions")
    op.drop_index(
        "ix_notifications_unread",
        table_name="notifications",
        postgresql_where=sa.text("NOT is_read AND deleted_at IS NULL"),
    )
    op.drop_index("ix_notifications_inbox", table_name="notifications", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_notifications_happening_id", table_name="notifications")
    op.drop_table("notifications")
    op.drop_index("ix_mails_time", table_name="mails")
    op.drop_index("ix_mails_lease", table_name="mails", postgresql_where=sa.text("status = 'sending'"))
    op.drop_index("ix_mails_happening_id", table_name="mails", postgresql_where=sa.text("happening_id IS NOT NULL"))
    op.drop_index("ix_mails_due", table_name="mails", postgresql_where=sa.text("status IN ('queued', 'deferred')"))
    op.drop_table("mails")
    op.drop_index("ix_users_events_roles_event_id_role", table_name="users_events_roles")
    op.drop_table("users_events_roles")
    op.drop_index("ix_speakers_user_id", table_name="speakers")
    op.drop_index("ix_speakers_event_id", table_name="speakers")
    op.drop_index("ix_speakers_email_lower", table_name="speakers")
    op.drop_table("speakers")
    op.drop_index("ix_sessions_event_id_state", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("ix_happenings_event_id", table_name="happenings", postgresql_where=sa.text("event_id IS NOT NULL"))
    op.drop_index("ix_happenings_actor_id", table_name="happenings", postgresql_where=sa.text("actor_id IS NOT NULL"))
    op.drop_table("happenings")
    op.drop_index("uq_users_email_lower", table_name="users")
    op.drop_table("users")
    op.drop_table("settings")
    op.drop_table("message_settings")
    op.drop_table("events")
    op.drop_index("ix_activities_time", table_name="activities")
    op.drop_table("activities")
