CREATE TABLE "drifts" (
	"id" text PRIMARY KEY NOT NULL,
	"directory" text NOT NULL,
	"group_id" text NOT NULL,
	"user_id" text NOT NULL,
	"class" text NOT NULL,
	"group_name" text NOT NULL,
	"login" text NOT NULL,
	"since_at" bigint NOT NULL
);
