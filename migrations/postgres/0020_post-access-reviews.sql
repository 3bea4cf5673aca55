ALTER TABLE "digests" ADD COLUMN "version" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "digests" ADD COLUMN "id" text;--> statement-breakpoint
ALTER TABLE "digests" ADD COLUMN "view" text;--> statement-breakpoint
ALTER TABLE "digests" ADD COLUMN "signed_at" bigint;--> statement-breakpoint
ALTER TABLE "digests" ADD COLUMN "signed_by" text;--> statement-breakpoint
ALTER TABLE "digests" ADD COLUMN "note" text;--> statement-breakpoint
ALTER TABLE "grants" ADD COLUMN "review" text;--> statement-breakpoint
ALTER TABLE "reviews" ADD COLUMN "reminders" bigint;--> statement-breakpoint
ALTER TABLE "reviews" ADD COLUMN "reminded_at" bigint;--> statement-breakpoint
CREATE INDEX "audit_events_of_policies" ON "audit_events" USING btree ("at") WHERE kind = 'policy.changed';--> statement-breakpoint
CREATE UNIQUE INDEX "digests_by_id" ON "digests" USING btree ("id");--> statement-breakpoint
CREATE INDEX "digests_unsigned" ON "digests" USING btree ("to_at") WHERE id is not null and signed_at is null;