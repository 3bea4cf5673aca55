ALTER TABLE "grants" ADD COLUMN "removed_at" bigint;--> statement-breakpoint
ALTER TABLE "grants" ADD COLUMN "signed_out" text;