"""All routes in one table: address, endpoint, and who may use which method.

An address that is not here does not exist; a method that is not here is 405 for everybody.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Flask

from app.api.admin import (
    ActivityDetail,
    ActivityList,
    MailDetail,
    MailEventList,
    MailList,
    MessageSettingDetail,
    MessageSettingList,
    SettingDetail,
)
from app.api.attendees import AttendeeDetail, AttendeeList
from app.api.broadcasts import BroadcastDetail, BroadcastList, EventBroadcastList
from app.api.channel_messages import ChannelMessageDetail, ChannelMessageEventList, ChannelMessageList
from app.api.channel_services import ChannelServiceDetail, ChannelServiceList
from app.api.event_invoices import EventInvoiceDetail, EventInvoiceList
from app.api.event_types import EventTypeDetail, EventTypeList
from app.api.events import EventDetail, EventList
from app.api.explain import explain_happening
from app.api.happenings import HappeningDetail, HappeningList
from app.api.health import health, ready
from app.api.jsonapi import idempotency
from app.api.jsonapi.table import Permission, Route, register
from app.api.listens import ListenDetail, ListenList
from app.api.mail_batches import BatchMailList, MailBatchDetail, MailBatchList
from app.api.mail_deeds import cancel_mails, retry_mails, settle_mails
from app.api.mail_services import MailServiceDetail, MailServiceList
from app.api.metrics import metrics
from app.api.notification_groups import notification_groups
from app.api.notification_marker import get_marker, patch_marker
from app.api.notifications import (
    NotificationDetail,
    NotificationList,
    NotificationListAdmin,
    NotificationUser,
    notification_count,
)
from app.api.orders import OrderDetail, OrderList, resend_order_mails
from app.api.paper_invites import PaperInviteDetail, PaperInviteList
from app.api.permissions import (
    admin,
    admin_or_service,
    anyone,
    known,
    logged_in,
    service,
    the_user,
    the_user_or_admin,
    verified,
)
from app.api.preferences import change_preferences, get_preferences
from app.api.previews import message_setting_preview
from app.api.realtime_tickets import create_realtime_ticket
from app.api.role_invites import RoleInviteDetail, RoleInviteList
from app.api.sessions import SessionDetail, SessionList
from app.api.speakers import SpeakerDetail, SpeakerList
from app.api.speakers_calls import EventSpeakersCall, SpeakersCallDetail, SpeakersCallList
from app.api.statistics import mail_statistics
from app.api.suppressions import SuppressionDetail, SuppressionList
from app.api.test_mail import send_test_mail
from app.api.tickets import TicketDetail, TicketList
from app.api.transfers import (
    EventExportDetail,
    EventExportList,
    EventImportDetail,
    EventImportList,
    create_import,
    download_export,
    download_page,
)
from app.api.users import UserDetail, UserList
from app.api.webhooks import take_sendgrid_events
from app.auth.views import (
    accept_invite,
    ask_for_reset,
    change_password,
    create_session,
    reset_password,
    verify_email,
)
from app.models.service_token import EVENT_TYPES_WRITE, HAPPENINGS_WRITE
from app.pages.invitations import invitation_page, invitation_submit
from app.pages.views import front_end_page, reset_page, reset_submit, verify_page, verify_submit


def can(**methods: Permission) -> dict[str, Permission]:
    """Who may use which method; `anyone` and `logged_in` leave it to the rows who sees and changes which."""
    return methods


# fmt: off
V1: Final = (
    # --- logging in
    Route("login", ["/auth/login"], create_session, can(POST=anyone)),
    Route("verify_email", ["/auth/verify-email"], verify_email, can(POST=anyone)),
    Route("ask_for_reset", ["/auth/reset-password"], ask_for_reset, can(POST=anyone), keyed=True),
    Route("reset_password", ["/auth/reset-password"], reset_password, can(PATCH=anyone)),
    Route("change_password", ["/auth/change-password"], change_password, can(POST=logged_in)),
    # --- users
    Route("user_list", ["/users"], UserList, can(GET=admin, POST=anyone)),
    Route("user_detail", ["/users/<int:user_id>"], UserDetail, can(GET=the_user_or_admin, PATCH=the_user_or_admin)),
    # --- notifications
    Route("notification_list_admin", ["/notifications"], NotificationListAdmin, can(GET=admin)),
    Route("notification_list", ["/users/<int:user_id>/notifications"], NotificationList,
          can(GET=the_user_or_admin, PATCH=the_user)),
    Route("notification_count", ["/users/<int:user_id>/notifications/count"], notification_count,
          can(GET=the_user_or_admin), is_jsonapi=True),
    Route("notification_group_list", ["/users/<int:user_id>/notification-groups"], notification_groups,
          can(GET=the_user_or_admin), is_jsonapi=True),
    Route("notification_marker", ["/users/<int:user_id>/notification-marker"], get_marker,
          can(GET=the_user_or_admin), is_jsonapi=True),
    Route("notification_marker_move", ["/users/<int:user_id>/notification-marker"], patch_marker,
          can(PATCH=the_user), is_jsonapi=True, keyed=True),
    Route("notification_detail", ["/notifications/<int:id>"], NotificationDetail,
          can(GET=logged_in, PATCH=logged_in, DELETE=logged_in)),
    Route("notification_user", ["/notifications/<int:id>/relationships/user", "/notifications/<int:id>/user"],
          NotificationUser, can(GET=logged_in)),
    Route("preferences", ["/users/<int:user_id>/preferences"], get_preferences, can(GET=the_user_or_admin),
          is_jsonapi=True),
    Route("preferences_change", ["/users/<int:user_id>/preferences"], change_preferences, can(PATCH=the_user),
          is_jsonapi=True, keyed=True),
    # --- happenings, and who follows which
    Route("happening_list", ["/happenings"], HappeningList, can(GET=admin, POST=service(HAPPENINGS_WRITE))),
    Route("happening_detail", ["/happenings/<int:id>"], HappeningDetail, can(GET=logged_in)),
    Route("happening_explanation", ["/happenings/<int:id>/explain"], explain_happening, can(GET=admin),
          is_jsonapi=True),
    Route("event_type_list", ["/event-types"], EventTypeList,
          can(GET=known, POST=admin_or_service(EVENT_TYPES_WRITE))),
    Route("event_type_detail", ["/event-types/<int:id>"], EventTypeDetail,
          can(GET=known, PATCH=admin, DELETE=admin)),
    Route("listen_list", ["/users/<int:user_id>/listens"], ListenList,
          can(GET=the_user_or_admin, POST=the_user)),
    Route("listen_detail", ["/listens/<int:id>", "/users/<int:user_id>/listens/<int:id>"], ListenDetail,
          can(GET=logged_in, DELETE=logged_in)),
    Route("realtime_ticket", ["/realtime-tickets"], create_realtime_ticket, can(POST=logged_in), is_jsonapi=True),
    # --- events, speakers, sessions
    Route("event_list", ["/events"], EventList, can(GET=anyone, POST=verified)),
    Route("event_detail", ["/events/<int:event_id>"], EventDetail,
          can(GET=anyone, PATCH=logged_in, DELETE=logged_in)),
    Route("speaker_list", ["/speakers"], SpeakerList, can(GET=anyone, POST=logged_in)),
    Route("event_speaker_list", ["/events/<int:event_id>/speakers"], SpeakerList, can(GET=anyone)),
    Route("session_speaker_list", ["/sessions/<int:session_id>/speakers"], SpeakerList, can(GET=anyone)),
    Route("speaker_detail", ["/speakers/<int:id>"], SpeakerDetail,
          can(GET=anyone, PATCH=logged_in, DELETE=logged_in)),
    Route("session_list", ["/sessions"], SessionList, can(GET=anyone, POST=logged_in)),
    Route("event_session_list", ["/events/<int:event_id>/sessions"], SessionList, can(GET=anyone)),
    Route("speaker_session_list", ["/speakers/<int:speaker_id>/sessions"], SessionList, can(GET=anyone)),
    Route("session_detail", ["/sessions/<int:id>"], SessionDetail,
          can(GET=anyone, PATCH=logged_in, DELETE=logged_in)),
    # --- calls for papers
    Route("speakers_call_list", ["/speakers-calls"], SpeakersCallList, can(GET=anyone, POST=logged_in)),
    Route("event_speakers_call", ["/events/<int:event_id>/speakers-call"], EventSpeakersCall, can(GET=anyone)),
    Route("speakers_call_detail", ["/speakers-calls/<int:id>"], SpeakersCallDetail,
          can(GET=anyone, PATCH=logged_in, DELETE=logged_in)),
    Route("paper_invite_list", ["/paper-invites"], PaperInviteList, can(GET=logged_in, POST=logged_in)),
    Route("speakers_call_paper_invite_list", ["/speakers-calls/<int:speakers_call_id>/paper-invites"],
          PaperInviteList, can(GET=logged_in)),
    Route("paper_invite_detail", ["/paper-invites/<int:id>"], PaperInviteDetail, can(GET=logged_in)),
    # --- tickets, attendees, orders, invoices
    Route("ticket_list", ["/tickets"], TicketList, can(GET=anyone, POST=logged_in)),
    Route("event_ticket_list", ["/events/<int:event_id>/tickets"], TicketList, can(GET=anyone)),
    Route("ticket_detail", ["/tickets/<int:id>"], TicketDetail,
          can(GET=anyone, PATCH=logged_in, DELETE=logged_in)),
    Route("attendee_list", ["/attendees"], AttendeeList, can(GET=logged_in, POST=logged_in)),
    Route("event_attendee_list", ["/events/<int:event_id>/attendees"], AttendeeList, can(GET=logged_in)),
    Route("order_attendee_list", ["/orders/<int:order_id>/attendees"], AttendeeList, can(GET=logged_in)),
    Route("attendee_detail", ["/attendees/<int:id>"], AttendeeDetail,
          can(GET=logged_in, PATCH=logged_in, DELETE=logged_in)),
    Route("order_list", ["/orders"], OrderList, can(GET=logged_in, POST=logged_in)),
    Route("event_order_list", ["/events/<int:event_id>/orders"], OrderList, can(GET=logged_in)),
    Route("order_detail", ["/orders/<int:id>"], OrderDetail, can(GET=logged_in, PATCH=logged_in)),
    Route("order_resend", ["/orders/resend-email"], resend_order_mails, can(POST=logged_in), keyed=True),
    Route("event_invoice_list", ["/event-invoices"], EventInvoiceList, can(GET=logged_in)),
    Route("event_event_invoice_list", ["/events/<int:event_id>/event-invoices"], EventInvoiceList,
          can(GET=logged_in)),
    Route("event_invoice_detail", ["/event-invoices/<int:id>"], EventInvoiceDetail,
          can(GET=logged_in, PATCH=admin)),
    # --- exports and imports of events
    Route("event_export_list", ["/event-exports"], EventExportList, can(GET=logged_in, POST=logged_in)),
    Route("event_export_detail", ["/event-exports/<int:id>"], EventExportDetail, can(GET=logged_in)),
    Route("event_export_download", ["/event-exports/<int:id>/download"], download_export, can(GET=logged_in)),
    Route("event_import_list", ["/event-imports"], EventImportList, can(GET=logged_in)),
    # The one address that takes a file, as a form or as plain JSON.
    Route("event_import_create", ["/event-imports"], create_import, can(POST=verified)),
    Route("event_import_detail", ["/event-imports/<int:id>"], EventImportDetail, can(GET=logged_in)),
    # --- invitations to roles
    Route("role_invite_list", ["/role-invites"], RoleInviteList, can(GET=logged_in, POST=logged_in)),
    Route("event_role_invite_list", ["/events/<int:event_id>/role-invites"], RoleInviteList, can(GET=logged_in)),
    Route("role_invite_detail", ["/role-invites/<int:id>"], RoleInviteDetail,
          can(GET=logged_in, PATCH=logged_in, DELETE=logged_in)),
    Route("accept_invite", ["/role-invites/accept-invite"], accept_invite, can(POST=anyone)),
    # --- what many are told
    Route("broadcast_list", ["/broadcasts"], BroadcastList, can(GET=logged_in, POST=verified)),
    Route("event_broadcast_list", ["/events/<int:event_id>/broadcasts"], EventBroadcastList, can(GET=logged_in)),
    Route("broadcast_detail", ["/broadcasts/<int:id>"], BroadcastDetail,
          can(GET=logged_in, PATCH=verified, DELETE=logged_in)),
    # --- for providers, who sign
    Route("sendgrid_webhook", ["/webhooks/sendgrid"], take_sendgrid_events, can(POST=anyone)),
    # --- for admins
    Route("mail_list", ["/mails"], MailList, can(GET=admin)),
    Route("mail_detail", ["/mails/<int:id>"], MailDetail, can(GET=admin)),
    # Batches are for the managers of their event too.
    Route("mail_batch_list", ["/mail-batches"], MailBatchList, can(GET=logged_in)),
    Route("mail_batch_detail", ["/mail-batches/<int:id>"], MailBatchDetail, can(GET=logged_in)),
    Route("mail_batch_mail_list", ["/mail-batches/<int:batch_id>/mails"], BatchMailList, can(GET=logged_in)),
    Route("event_mail_list", ["/events/<int:event_id>/mails"], BatchMailList, can(GET=logged_in)),
    Route("mail_event_list", ["/mails/<int:mail_id>/events"], MailEventList, can(GET=admin)),
    Route("mail_retry", ["/mail-retries"], retry_mails, can(POST=admin), is_jsonapi=True),
    Route("mail_cancellation", ["/mail-cancellations"], cancel_mails, can(POST=admin), is_jsonapi=True),
    Route("mail_settlement", ["/mail-settlements"], settle_mails, can(POST=admin), is_jsonapi=True),
    Route("suppression_list", ["/suppressions"], SuppressionList, can(GET=admin, POST=admin)),
    Route("suppression_detail", ["/suppressions/<int:id>"], SuppressionDetail, can(GET=admin, DELETE=admin)),
    Route("settings", ["/settings"], SettingDetail, can(GET=admin)),
    Route("setting_detail", ["/settings/<int:id>"], SettingDetail, can(GET=admin, PATCH=admin)),
    Route("mail_service_list", ["/mail-services"], MailServiceList, can(GET=admin, POST=admin)),
    Route("mail_service_detail", ["/mail-services/<int:id>"], MailServiceDetail,
          can(GET=admin, PATCH=admin, DELETE=admin)),
    Route("channel_service_list", ["/channel-services"], ChannelServiceList, can(GET=admin, POST=admin)),
    Route("channel_service_detail", ["/channel-services/<int:id>"], ChannelServiceDetail,
          can(GET=admin, PATCH=admin, DELETE=admin)),
    Route("channel_message_list", ["/channel-messages"], ChannelMessageList, can(GET=admin)),
    Route("channel_message_detail", ["/channel-messages/<int:id>"], ChannelMessageDetail, can(GET=admin)),
    Route("channel_message_event_list", ["/channel-messages/<int:message_id>/events"], ChannelMessageEventList,
          can(GET=admin)),
    Route("test_mail", ["/test-mail"], send_test_mail, can(POST=admin)),
    Route("message_setting_list", ["/message-settings"], MessageSettingList, can(GET=admin)),
    Route("message_setting_detail", ["/message-settings/<int:id>"], MessageSettingDetail,
          can(GET=admin, PATCH=admin)),
    Route("message_setting_preview", ["/message-settings/<int:id>/preview"], message_setting_preview,
          can(GET=admin), is_jsonapi=True),
    Route("admin_statistics_mail_detail", ["/admin/statistics/mails"], mail_statistics, can(GET=admin),
          is_jsonapi=True),
    Route("activity_list", ["/activities"], ActivityList, can(GET=admin)),
    Route("activity_detail", ["/activities/<int:id>"], ActivityDetail, can(GET=admin)),
)

ROOT: Final = (
    Route("create_session", ["/auth/session"], create_session, can(POST=anyone)),
    # --- for the operator's network
    Route("health", ["/health"], health, can(GET=anyone)),
    Route("ready", ["/ready"], ready, can(GET=anyone)),
    Route("metrics", ["/metrics"], metrics, can(GET=anyone)),
    # --- pages
    Route("verify_page", ["/verify"], verify_page, can(GET=anyone)),
    Route("verify_submit", ["/verify"], verify_submit, can(POST=anyone)),
    Route("reset_page", ["/reset-password"], reset_page, can(GET=anyone)),
    Route("reset_submit", ["/reset-password"], reset_submit, can(POST=anyone)),
    Route("invitation_page", ["/sign-up", "/role-invites/accept"], invitation_page, can(GET=anyone)),
    Route("invitation_submit", ["/sign-up", "/role-invites/accept"], invitation_submit, can(POST=anyone)),
    Route("front_end_page", ["/events/<identifier>", "/events/<identifier>/sessions/<int:session_id>",
                             "/events/<identifier>/cfs", "/events/<identifier>/cfs/new",
                             "/events/<identifier>/cfs/<hash>", "/events/<identifier>/cfs/<hash>/new",
                             "/orders/<identifier>", "/tickets/<identifier>", "/event-invoices/<identifier>",
                             "/role-invites/<int:invite_id>"],
          front_end_page, can(GET=anyone)),
    # The link of a mail, whose token stands for a login.
    Route("download_page", ["/event-exports/<int:id>/download"], download_page, can(GET=anyone)),
)
# fmt: on


def init_app(app: Flask) -> None:
    """Add all routes, and what is looked at before each of them."""
    register(app, Blueprint("v1", __name__, url_prefix="/v1"), V1)
    register(app, None, ROOT)
    idempotency.init_app(app)
