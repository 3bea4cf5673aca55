CREATE TABLE "pins" (
	"space" text NOT NULL,
	"name" text NOT NULL,
	"id" text NOT NULL,
	"pinned_at" bigint NOT NULL,
	CONSTRAINT "pins_space_name_pk" PRIMARY KEY("space","name")
);
