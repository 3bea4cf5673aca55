CREATE TABLE "sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"kind" text NOT NULL,
	"secret_hash" text NOT NULL,
	"person" text NOT NULL,
	"person_name" text NOT NULL,
	"label" text,
	"scopes" text NOT NULL,
	"signed_in_at" bigint,
	"acr" text,
	"amr" text,
	"created_at" bigint NOT NULL,
	"created_by" text NOT NULL,
	"expires_at" bigint NOT NULL,
	"ended_at" bigint,
	"ended_by" text,
	"last_used_at" bigint
);
--> statement-breakpoint
CREATE UNIQUE INDEX "sessions_by_secret" ON "sessions" USING btree ("secret_hash");--> statement-breakpoint
CREATE INDEX "sessions_by_kind" ON "sessions" USING btree ("kind","created_at");--> statement-breakpoint
CREATE INDEX "sessions_by_age" ON "sessions" USING btree ("created_at");