"""Indexes for what is looked up every minute: events by their times, a month's sales and invoices."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

VISIBLE = sa.text("state = 'published' AND deleted_at IS NULL")
SOLD = sa.text("status = 'completed' AND amount > 0")


def upgrade() -> None:
    """Change the tables."""
    op.create_index("ix_events_starts_at", "events", ["starts_at"], unique=False, postgresql_where=VISIBLE)
    op.create_index("ix_events_ends_at", "events", ["ends_at"], unique=False, postgresql_where=VISIBLE)
    op.create_index(
        "ix_orders_sold", "orders", ["completed_at", "event_id", "currency"], unique=False, postgresql_where=SOLD
    )
    op.create_index("ix_event_invoices_month", "event_invoices", ["month"], unique=False)


def downgrade() -> None:
    """Change them back."""
    op.drop_index("ix_event_invoices_month", table_name="event_invoices")
    op.drop_index("ix_orders_sold", table_name="orders", postgresql_where=SOLD)
    op.drop_index("ix_events_ends_at", table_name="events", postgresql_where=VISIBLE)
    op.drop_index("ix_events_starts_at", table_name="events", postgresql_where=VISIBLE)
