CREATE TABLE "activities" (
	"source" text NOT NULL,
	"uid" text NOT NULL,
	"grant_id" text NOT NULL,
	"fit" text NOT NULL,
	"kind" text NOT NULL,
	"at" bigint NOT NULL,
	"received_at" bigint NOT NULL,
	"content" text NOT NULL,
	CONSTRAINT "activities_source_uid_pk" PRIMARY KEY("source","uid")
);
--> statement-breakpoint
CREATE TABLE "findings" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"state" text NOT NULL,
	"grant_id" text NOT NULL,
	"rule" text NOT NULL,
	"created_at" bigint NOT NULL,
	"content" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "grant_uses" (
	"grant_id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"person" text NOT NULL,
	"first_at" bigint NOT NULL,
	"content" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "source_cursors" (
	"source" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"cursor" text NOT NULL,
	"read_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "activities_by_grant" ON "activities" USING btree ("grant_id","at");--> statement-breakpoint
CREATE INDEX "activities_by_receipt" ON "activities" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "findings_by_grant" ON "findings" USING btree ("grant_id","created_at");--> statement-breakpoint
CREATE INDEX "findings_by_creation" ON "findings" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "findings_one_open" ON "findings" USING btree ("grant_id","rule") WHERE state <> 'dismissed' and state <> 'revoked';--> statement-breakpoint
CREATE INDEX "grant_uses_by_person" ON "grant_uses" USING btree ("person","first_at");