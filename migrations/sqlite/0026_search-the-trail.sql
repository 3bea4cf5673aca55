CREATE INDEX `audit_events_by_actor` ON `audit_events` (`actor`,`seq`);--> statement-breakpoint
CREATE INDEX `audit_events_by_kind` ON `audit_events` (`kind`,`seq`);