ALTER TABLE "requests" ADD COLUMN "workload" text;--> statement-breakpoint
ALTER TABLE "requests" ADD COLUMN "on_behalf_of" text;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "workload" text;--> statement-breakpoint
CREATE INDEX "requests_on_behalf" ON "requests" USING btree ("on_behalf_of","created_at") WHERE on_behalf_of is not null;