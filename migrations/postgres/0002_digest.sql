CREATE TABLE "digests" (
	"day" text PRIMARY KEY NOT NULL,
	"from_at" bigint NOT NULL,
	"to_at" bigint NOT NULL,
	"made_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "digests_by_end" ON "digests" USING btree ("to_at");--> statement-breakpoint
CREATE INDEX "grants_by_approval" ON "grants" USING btree ("approved_at");--> statement-breakpoint
CREATE INDEX "grants_by_ending" ON "grants" USING btree ("ending_at") WHERE ending_at is not null;--> statement-breakpoint
CREATE INDEX "grants_by_end" ON "grants" USING btree ("ended_at") WHERE ended_at is not null;--> statement-breakpoint
CREATE INDEX "requests_decided" ON "requests" USING btree ("decided_at") WHERE decided_at is not null;