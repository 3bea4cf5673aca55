ALTER TABLE "grants" ADD COLUMN "extending" text;--> statement-breakpoint
ALTER TABLE "memberships" ADD COLUMN "native_expiry_at" bigint;--> statement-breakpoint
ALTER TABLE "memberships" ADD COLUMN "native_expiry_sent" bigint;--> statement-breakpoint
ALTER TABLE "memberships" ADD COLUMN "native_expiry_outcome" text;