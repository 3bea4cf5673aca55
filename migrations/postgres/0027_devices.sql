CREATE TABLE "devices" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"state" text NOT NULL,
	"user_code" text NOT NULL,
	"label" text NOT NULL,
	"from" text NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"person" text,
	"person_name" text,
	"signed_in_at" bigint,
	"acr" text,
	"amr" text
);
--> statement-breakpoint
CREATE UNIQUE INDEX "devices_by_code" ON "devices" USING btree ("user_code");--> statement-breakpoint
CREATE INDEX "devices_by_end" ON "devices" USING btree ("expires_at");