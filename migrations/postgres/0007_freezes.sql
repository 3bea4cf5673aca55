CREATE TABLE "freeze_head" (
	"id" bigint PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "freezes" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"scope" text NOT NULL,
	"name" text NOT NULL,
	"reason" text NOT NULL,
	"by" text NOT NULL,
	"at" bigint NOT NULL,
	"lifted_at" bigint,
	"lifted_by" text
);
--> statement-breakpoint
CREATE INDEX "freezes_live" ON "freezes" USING btree ("at") WHERE lifted_at is null;
--> statement-breakpoint
INSERT INTO freeze_head (id, version) VALUES (1, 0);
