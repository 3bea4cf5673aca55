DROP INDEX "jobs_due";--> statement-breakpoint
DROP INDEX "jobs_lane";--> statement-breakpoint
DROP INDEX "jobs_leased";--> statement-breakpoint
CREATE INDEX "jobs_free" ON "jobs" USING btree ("kind","lane","priority","due_at") WHERE lease_until is null;--> statement-breakpoint
CREATE INDEX "jobs_held" ON "jobs" USING btree ("kind","lane","lease_until") WHERE lease_until is not null;