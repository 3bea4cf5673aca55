CREATE TABLE "holders" (
	"person" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "requests_one_pending" ON "requests" USING btree ("requester","entitlement") WHERE state = 'pending';