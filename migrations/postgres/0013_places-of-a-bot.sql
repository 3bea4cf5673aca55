CREATE TABLE "places" (
	"id" text PRIMARY KEY NOT NULL,
	"service_url" text NOT NULL,
	"conversation" text,
	"user_id" text,
	"name" text,
	"zone" text,
	"closed_at" bigint,
	"seen_at" bigint NOT NULL
);
