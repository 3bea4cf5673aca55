ALTER TABLE "grants" ADD COLUMN "incident" text;--> statement-breakpoint
ALTER TABLE "requests" ADD COLUMN "incident" text;