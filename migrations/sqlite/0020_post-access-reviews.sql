ALTER TABLE `digests` ADD `version` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `digests` ADD `id` text;--> statement-breakpoint
ALTER TABLE `digests` ADD `view` text;--> statement-breakpoint
ALTER TABLE `digests` ADD `signed_at` integer;--> statement-breakpoint
ALTER TABLE `digests` ADD `signed_by` text;--> statement-breakpoint
ALTER TABLE `digests` ADD `note` text;--> statement-breakpoint
CREATE UNIQUE INDEX `digests_by_id` ON `digests` (`id`);--> statement-breakpoint
CREATE INDEX `digests_unsigned` ON `digests` (`to_at`) WHERE id is not null and signed_at is null;--> statement-breakpoint
ALTER TABLE `grants` ADD `review` text;--> statement-breakpoint
ALTER TABLE `reviews` ADD `reminders` integer;--> statement-breakpoint
ALTER TABLE `reviews` ADD `reminded_at` integer;--> statement-breakpoint
CREATE INDEX `audit_events_of_policies` ON `audit_events` (`at`) WHERE kind = 'policy.changed';