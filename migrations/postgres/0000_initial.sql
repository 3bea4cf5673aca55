CREATE TABLE "account_pins" (
	"platform" text NOT NULL,
	"tenant" text NOT NULL,
	"account_id" text NOT NULL,
	"person" text NOT NULL,
	"pinned_at" bigint NOT NULL,
	CONSTRAINT "account_pins_platform_tenant_account_id_pk" PRIMARY KEY("platform","tenant","account_id")
);
--> statement-breakpoint
CREATE TABLE "approvals" (
	"request_id" text NOT NULL,
	"approver" text NOT NULL,
	"digest" text NOT NULL,
	"approver_name" text NOT NULL,
	"answer" text NOT NULL,
	"reason" text,
	"at" bigint NOT NULL,
	CONSTRAINT "approvals_request_id_approver_digest_pk" PRIMARY KEY("request_id","approver","digest")
);
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"seq" bigint PRIMARY KEY NOT NULL,
	"prev_hash" text NOT NULL,
	"hash" text NOT NULL,
	"canonical" text NOT NULL,
	"at" bigint NOT NULL,
	"kind" text NOT NULL,
	"actor" text NOT NULL,
	"request_id" text,
	"grant_id" text
);
--> statement-breakpoint
CREATE TABLE "audit_personal" (
	"seq" bigint NOT NULL,
	"field" text NOT NULL,
	"salt" text NOT NULL,
	"text" text NOT NULL,
	CONSTRAINT "audit_personal_seq_field_pk" PRIMARY KEY("seq","field")
);
--> statement-breakpoint
CREATE TABLE "cards" (
	"id" text PRIMARY KEY NOT NULL,
	"request_id" text NOT NULL,
	"digest" text NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "chain_head" (
	"id" bigint PRIMARY KEY NOT NULL,
	"seq" bigint NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "deliveries" (
	"key" text PRIMARY KEY NOT NULL,
	"received_at" bigint NOT NULL,
	"body" text NOT NULL,
	"lease_until" bigint NOT NULL,
	"attempts" bigint NOT NULL,
	"answered_at" bigint
);
--> statement-breakpoint
CREATE TABLE "grant_memberships" (
	"grant_id" text NOT NULL,
	"directory" text NOT NULL,
	"group_id" text NOT NULL,
	"user_id" text NOT NULL,
	CONSTRAINT "grant_memberships_directory_group_id_user_id_grant_id_pk" PRIMARY KEY("directory","group_id","user_id","grant_id")
);
--> statement-breakpoint
CREATE TABLE "grants" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"request_id" text NOT NULL,
	"state" text NOT NULL,
	"holder" text NOT NULL,
	"holder_name" text NOT NULL,
	"entitlement" text NOT NULL,
	"memberships" text NOT NULL,
	"duration_ms" bigint NOT NULL,
	"max_ms" bigint NOT NULL,
	"warn_before_ms" bigint NOT NULL,
	"session_tail_ms" bigint NOT NULL,
	"approved_at" bigint NOT NULL,
	"add_by" bigint NOT NULL,
	"hard_end_at" bigint NOT NULL,
	"starts_at" bigint,
	"expires_at" bigint,
	"end_reason" text,
	"ending_at" bigint,
	"ended_at" bigint,
	"ended_by" text,
	"end_note" text
);
--> statement-breakpoint
CREATE TABLE "group_pins" (
	"directory" text NOT NULL,
	"group_name" text NOT NULL,
	"group_id" text NOT NULL,
	"pinned_at" bigint NOT NULL,
	CONSTRAINT "group_pins_directory_group_name_pk" PRIMARY KEY("directory","group_name")
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"lane" text NOT NULL,
	"priority" bigint NOT NULL,
	"due_at" bigint NOT NULL,
	"payload" text NOT NULL,
	"version" bigint NOT NULL,
	"epoch" bigint NOT NULL,
	"lease_until" bigint,
	"attempts" bigint NOT NULL,
	"last_error" text
);
--> statement-breakpoint
CREATE TABLE "memberships" (
	"directory" text NOT NULL,
	"group_id" text NOT NULL,
	"user_id" text NOT NULL,
	"version" bigint NOT NULL,
	"group_name" text NOT NULL,
	"login" text NOT NULL,
	"origin" text NOT NULL,
	"add_started_at" bigint,
	"add_deadline_at" bigint,
	"add_outcome" text,
	"add_attempts" bigint NOT NULL,
	"add_unknown_until" bigint,
	"remove_started_at" bigint,
	"remove_deadline_at" bigint,
	"remove_outcome" text,
	"remove_accepted_at" bigint,
	"seen" text,
	"seen_at" bigint,
	"missing_since_at" bigint,
	"proven_absent_at" bigint,
	"failures" bigint NOT NULL,
	"last_error" text,
	"last_error_code" text,
	CONSTRAINT "memberships_directory_group_id_user_id_pk" PRIMARY KEY("directory","group_id","user_id")
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"id" text PRIMARY KEY NOT NULL,
	"request_id" text NOT NULL,
	"state" text NOT NULL,
	"conversation" text,
	"ts" text,
	"shown" text,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "requests" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"state" text NOT NULL,
	"requester" text NOT NULL,
	"requester_name" text NOT NULL,
	"requester_account" text,
	"requester_zone" text,
	"users" text NOT NULL,
	"entitlement" text NOT NULL,
	"resource" text NOT NULL,
	"role" text NOT NULL,
	"title" text NOT NULL,
	"groups" text NOT NULL,
	"duration_ms" bigint NOT NULL,
	"reason" text NOT NULL,
	"policy_name" text NOT NULL,
	"policy_hash" text NOT NULL,
	"approvals_needed" bigint NOT NULL,
	"extends_grant" text,
	"digest" text NOT NULL,
	"card_id" text NOT NULL,
	"created_at" bigint NOT NULL,
	"lapses_at" bigint NOT NULL,
	"decided_at" bigint,
	"closed_by" text,
	"closed_note" text,
	"audiences" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "approvals" ADD CONSTRAINT "approvals_request_id_requests_id_fk" FOREIGN KEY ("request_id") REFERENCES "public"."requests"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "audit_personal" ADD CONSTRAINT "audit_personal_seq_audit_events_seq_fk" FOREIGN KEY ("seq") REFERENCES "public"."audit_events"("seq") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "cards" ADD CONSTRAINT "cards_request_id_requests_id_fk" FOREIGN KEY ("request_id") REFERENCES "public"."requests"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "grant_memberships" ADD CONSTRAINT "grant_memberships_grant_id_grants_id_fk" FOREIGN KEY ("grant_id") REFERENCES "public"."grants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "grants" ADD CONSTRAINT "grants_request_id_requests_id_fk" FOREIGN KEY ("request_id") REFERENCES "public"."requests"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "account_pins_by_person" ON "account_pins" USING btree ("person","platform","pinned_at");--> statement-breakpoint
CREATE INDEX "audit_events_by_request" ON "audit_events" USING btree ("request_id","seq");--> statement-breakpoint
CREATE INDEX "audit_events_by_grant" ON "audit_events" USING btree ("grant_id","seq");--> statement-breakpoint
CREATE INDEX "audit_events_by_time" ON "audit_events" USING btree ("at");--> statement-breakpoint
CREATE INDEX "cards_by_request" ON "cards" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "deliveries_unanswered" ON "deliveries" USING btree ("lease_until") WHERE answered_at is null;--> statement-breakpoint
CREATE INDEX "deliveries_answered" ON "deliveries" USING btree ("answered_at") WHERE answered_at is not null;--> statement-breakpoint
CREATE INDEX "grant_memberships_by_grant" ON "grant_memberships" USING btree ("grant_id");--> statement-breakpoint
CREATE UNIQUE INDEX "grants_one_per_request" ON "grants" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "grants_by_holder" ON "grants" USING btree ("holder","entitlement","state");--> statement-breakpoint
CREATE INDEX "grants_unended" ON "grants" USING btree ("state") WHERE state <> 'ended';--> statement-breakpoint
CREATE INDEX "jobs_due" ON "jobs" USING btree ("kind","due_at");--> statement-breakpoint
CREATE INDEX "jobs_leased" ON "jobs" USING btree ("kind","lease_until") WHERE lease_until is not null;--> statement-breakpoint
CREATE INDEX "memberships_ours" ON "memberships" USING btree ("origin") WHERE origin = 'ours';--> statement-breakpoint
CREATE INDEX "requests_by_requester" ON "requests" USING btree ("requester","entitlement","state");--> statement-breakpoint
CREATE INDEX "requests_newest" ON "requests" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "requests_pending" ON "requests" USING btree ("lapses_at") WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX "requests_extending" ON "requests" USING btree ("extends_grant") WHERE extends_grant is not null;