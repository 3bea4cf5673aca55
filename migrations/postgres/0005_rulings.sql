ALTER TABLE "memberships" ADD COLUMN "ruling" text;--> statement-breakpoint
ALTER TABLE "memberships" ADD COLUMN "ruled_at" bigint;