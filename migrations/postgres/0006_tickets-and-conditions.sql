ALTER TABLE "requests" ADD COLUMN "ticket" text;--> statement-breakpoint
ALTER TABLE "requests" ADD COLUMN "ticket_url" text;--> statement-breakpoint
ALTER TABLE "requests" ADD COLUMN "automatic" text;