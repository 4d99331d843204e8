"""Invitations, tickets and orders, exports and imports, the markers of periodic mails; switches for every action."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Every action that this version adds gets its switches.
ACTIONS = (
    "User Registration during Payment",
    "User email",
    "Event Role Invitation",
    "Invitation For Papers",
    "Next Event",
    "Session Schedule Change",
    "Event Published",
    "After Event",
    "Ticket(s) Purchased",
    "Ticket(s) purchased to Attendee",
    "Ticket(s) Purchased to Organizer",
    "Ticket(s) cancelled",
    "Event Exported",
    "Event Export Failed",
    "Event Imported",
    "Event Import Failed",
    "Mail Expired Orders",
    "Monthly Payment Email",
    "Monthly Payment Follow Up Email",
    "Monthly Payment Notification",
    "Monthly Payment Follow Up Notification",
    "Ticket Purchased to Attendee",
    "Ticket Resend",
    "Ticket(s) cancelled organizer",
)


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "event_invoices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("identifier", sa.String(length=32), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="due", nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("followed_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('due', 'paid')", name=op.f("ck_event_invoices_status")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_event_invoices_event_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_invoices")),
        sa.UniqueConstraint("event_id", "month", "currency", name=op.f("uq_event_invoices_event_id_month_currency")),
        sa.UniqueConstraint("identifier", name=op.f("uq_event_invoices_identifier")),
    )
    op.create_index(
        "ix_event_invoices_due",
        "event_invoices",
        ["month"],
        unique=False,
        postgresql_where=sa.text("status = 'due' AND followed_up_at IS NULL"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("identifier", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="initializing", nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), server_default="0", nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="USD", nullable=False),
        sa.Column("cancel_note", sa.Text(), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(completed_at IS NOT NULL) OR status <> 'completed'", name=op.f("ck_orders_completed_at")),
        sa.CheckConstraint(
            "status IN ('initializing', 'pending', 'completed', 'cancelled', 'expired')", name=op.f("ck_orders_status")
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_orders_amount")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_orders_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_orders_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("identifier", name=op.f("uq_orders_identifier")),
    )
    op.create_index("ix_orders_event_id_completed_at", "orders", ["event_id", "completed_at"], unique=False)
    op.create_index(
        "ix_orders_open",
        "orders",
        ["changed_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('initializing', 'pending')"),
    )
    op.create_index("ix_orders_user_id", "orders", ["user_id"], unique=False)
    op.create_table(
        "reminders",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('next-event', 'after-event')", name=op.f("ck_reminders_kind")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_reminders_event_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event_id", "kind", name=op.f("pk_reminders")),
    )
    op.create_table(
        "role_invites",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role_name", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="pending", nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role_name IN ('organizer', 'coorganizer', 'track_organizer', 'moderator')",
            name=op.f("ck_role_invites_role_name"),
        ),
        sa.CheckConstraint("status IN ('pending', 'accepted', 'declined')", name=op.f("ck_role_invites_status")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_role_invites_event_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_invites")),
    )
    op.create_index("ix_role_invites_email_lower", "role_invites", [sa.literal_column("lower(email)")], unique=False)
    op.create_index(
        "uq_role_invites_open",
        "role_invites",
        ["event_id", sa.literal_column("lower(email)"), "role_name"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "speakers_calls",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("announcement", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("privacy", sa.String(length=16), server_default="public", nullable=False),
        sa.Column("hash", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("privacy IN ('public', 'private')", name=op.f("ck_speakers_calls_privacy")),
        sa.CheckConstraint("ends_at >= starts_at", name=op.f("ck_speakers_calls_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_speakers_calls_event_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speakers_calls")),
        sa.UniqueConstraint("event_id", name=op.f("uq_speakers_calls_event_id")),
        sa.UniqueConstraint("hash", name=op.f("uq_speakers_calls_hash")),
    )
    op.create_table(
        "tickets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), server_default="0", nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="USD", nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("price >= 0", name=op.f("ck_tickets_price")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_tickets_event_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
    )
    op.create_index("ix_tickets_event_id", "tickets", ["event_id"], unique=False)
    op.create_table(
        "transfers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="queued", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("filename", sa.String(length=255), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('export', 'import')", name=op.f("ck_transfers_kind")),
        sa.CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed')", name=op.f("ck_transfers_state")),
        sa.CheckConstraint("done BETWEEN 0 AND total", name=op.f("ck_transfers_progress")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_transfers_event_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_transfers_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
    )
    op.create_index("ix_transfers_event_id", "transfers", ["event_id"], unique=False)
    op.create_index(
        "ix_transfers_finished_at",
        "transfers",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("content IS NOT NULL"),
    )
    op.create_index(
        "ix_transfers_open",
        "transfers",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index("ix_transfers_user_id", "transfers", ["user_id"], unique=False)
    op.create_table(
        "attendees",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("identifier", sa.String(length=32), nullable=False),
        sa.Column("firstname", sa.String(length=255), nullable=False),
        sa.Column("lastname", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_attendees_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_attendees_order_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_attendees_ticket_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_attendees_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendees")),
        sa.UniqueConstraint("identifier", name=op.f("uq_attendees_identifier")),
    )
    op.create_index("ix_attendees_email_lower", "attendees", [sa.literal_column("lower(email)")], unique=False)
    op.create_index("ix_attendees_event_id", "attendees", ["event_id"], unique=False)
    op.create_index("ix_attendees_order_id", "attendees", ["order_id"], unique=False)
    op.create_index("ix_attendees_ticket_id", "attendees", ["ticket_id"], unique=False)
    op.create_index("ix_attendees_user_id", "attendees", ["user_id"], unique=False)
    op.create_table(
        "paper_invites",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("speakers_call_id", sa.BigInteger(), nullable=False),
        sa.Column("inviter_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["inviter_id"], ["users.id"], name=op.f("fk_paper_invites_inviter_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["speakers_call_id"],
            ["speakers_calls.id"],
            name=op.f("fk_paper_invites_speakers_call_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_invites")),
    )
    op.create_index(op.f("ix_paper_invites_inviter_id"), "paper_invites", ["inviter_id"], unique=False)
    op.create_index(
        "uq_paper_invites_email", "paper_invites", ["speakers_call_id", sa.literal_column("lower(email)")], unique=True
    )
    op.add_column("mails", sa.Column("language", sa.String(length=35), server_default="en", nullable=False))
    op.create_index(
        "ix_mails_sent_at", "mails", ["sent_at"], unique=False, postgresql_where=sa.text("sent_at IS NOT NULL")
    )
    op.add_column("settings", sa.Column("order_expiry_time", sa.Integer(), server_default="15", nullable=False))
    op.add_column(
        "settings", sa.Column("service_fee", sa.Numeric(precision=5, scale=2), server_default="0", nullable=False)
    )
    op.add_column("users", sa.Column("new_email", sa.String(length=254), nullable=True))
    op.add_column(
        "users", sa.Column("was_registered_with_order", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_settings_order_expiry_time"), "settings", "order_expiry_time BETWEEN 1 AND 43200"
    )
    op.create_check_constraint(op.f("ck_settings_service_fee"), "settings", "service_fee BETWEEN 0 AND 100")
    settings = sa.table("message_settings", sa.column("action", sa.String))
    op.execute(postgresql.insert(settings).values([{"action": action} for action in ACTIONS]).on_conflict_do_nothing())


def downgrade() -> None:
    """Change them back."""
    settings = sa.table("message_settings", sa.column("action", sa.String))
    op.execute(sa.delete(settings).where(settings.c.action.in_(ACTIONS)))
    op.drop_constraint(op.f("ck_settings_service_fee"), "settings")
    op.drop_constraint(op.f("ck_settings_order_expiry_time"), "settings")
    op.drop_column("users", "was_registered_with_order")
    op.drop_column("users", "new_email")
    op.drop_column("settings", "service_fee")
    op.drop_column("settings", "order_expiry_time")
    op.drop_index("ix_mails_sent_at", table_name="mails", postgresql_where=sa.text("sent_at IS NOT NULL"))
    op.drop_column("mails", "language")
    op.drop_index("uq_paper_invites_email", table_name="paper_invites")
    op.drop_index(op.f("ix_paper_invites_inviter_id"), table_name="paper_invites")
    op.drop_table("paper_invites")
    op.drop_index("ix_attendees_user_id", table_name="attendees")
    op.drop_index("ix_attendees_ticket_id", table_name="attendees")
    op.drop_index("ix_attendees_order_id", table_name="attendees")
    op.drop_index("ix_attendees_event_id", table_name="attendees")
    op.drop_index("ix_attendees_email_lower", table_name="attendees")
    op.drop_table("attendees")
    op.drop_index("ix_transfers_user_id", table_name="transfers")
    op.drop_index(
        "ix_transfers_open", table_name="transfers", postgresql_where=sa.text("state IN ('queued', 'running')")
    )
    op.drop_index("ix_transfers_finished_at", table_name="transfers", postgresql_where=sa.text("content IS NOT NULL"))
    op.drop_index("ix_transfers_event_id", table_name="transfers")
    op.drop_table("transfers")
    op.drop_index("ix_tickets_event_id", table_name="tickets")
    op.drop_table("tickets")
    op.drop_table("speakers_calls")
    op.drop_index("uq_role_invites_open", table_name="role_invites", postgresql_where=sa.text("status = 'pending'"))
    op.drop_index("ix_role_invites_email_lower", table_name="role_invites")
    op.drop_table("role_invites")
    op.drop_table("reminders")
    op.drop_index("ix_orders_user_id", table_name="orders")
    op.drop_index(
        "ix_orders_open", table_name="orders", postgresql_where=sa.text("status IN ('initializing', 'pending')")
    )
    op.drop_index("ix_orders_event_id_completed_at", table_name="orders")
    op.drop_table("orders")
    op.drop_index(
        "ix_event_invoices_due",
        table_name="event_invoices",
        postgresql_where=sa.text("status = 'due' AND followed_up_at IS NULL"),
    )
    op.drop_table("event_invoices")
