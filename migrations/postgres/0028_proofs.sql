CREATE TABLE "proofs" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"state" text NOT NULL,
	"person" text NOT NULL,
	"created_at" bigint NOT NULL,
	"content" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "approvals" ADD COLUMN "proof" text;--> statement-breakpoint
ALTER TABLE "requests" ADD COLUMN "confirming" text;--> statement-breakpoint
CREATE INDEX "proofs_open" ON "proofs" USING btree ("person") WHERE state in ('open', 'signed_in');