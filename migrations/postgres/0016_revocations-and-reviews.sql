CREATE TABLE "reviews" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"state" text NOT NULL,
	"why" text NOT NULL,
	"grant_id" text NOT NULL,
	"request_id" text NOT NULL,
	"holder" text NOT NULL,
	"holder_name" text NOT NULL,
	"entitlement" text NOT NULL,
	"duration_ms" bigint NOT NULL,
	"reason" text NOT NULL,
	"reviewers" text NOT NULL,
	"tell" text NOT NULL,
	"created_at" bigint NOT NULL,
	"due_at" bigint NOT NULL,
	"decided_at" bigint,
	"decided_by" text,
	"note" text
);
--> statement-breakpoint
CREATE TABLE "revocations" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"state" text NOT NULL,
	"content" text NOT NULL,
	"created_at" bigint NOT NULL,
	"confirmed_at" bigint,
	"done_at" bigint
);
--> statement-breakpoint
ALTER TABLE "freezes" ADD COLUMN "except" text;--> statement-breakpoint
ALTER TABLE "freezes" ADD COLUMN "sweeping" text;--> statement-breakpoint
ALTER TABLE "requests" ADD COLUMN "break_glass" text;--> statement-breakpoint
ALTER TABLE "reviews" ADD CONSTRAINT "reviews_request_id_requests_id_fk" FOREIGN KEY ("request_id") REFERENCES "public"."requests"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "reviews_open" ON "reviews" USING btree ("created_at") WHERE state = 'open';--> statement-breakpoint
CREATE INDEX "reviews_by_request" ON "reviews" USING btree ("request_id");