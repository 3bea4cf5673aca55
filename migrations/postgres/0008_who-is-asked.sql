ALTER TABLE "approvals" ADD COLUMN "stage" bigint;--> statement-breakpoint
ALTER TABLE "requests" ADD COLUMN "asking" text;