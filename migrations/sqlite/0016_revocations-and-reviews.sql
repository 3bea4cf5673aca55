CREATE TABLE `reviews` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`why` text NOT NULL,
	`grant_id` text NOT NULL,
	`request_id` text NOT NULL,
	`holder` text NOT NULL,
	`holder_name` text NOT NULL,
	`entitlement` text NOT NULL,
	`duration_ms` integer NOT NULL,
	`reason` text NOT NULL,
	`reviewers` text NOT NULL,
	`tell` text NOT NULL,
	`created_at` integer NOT NULL,
	`due_at` integer NOT NULL,
	`decided_at` integer,
	`decided_by` text,
	`note` text,
	FOREIGN KEY (`request_id`) REFERENCES `requests`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `reviews_open` ON `reviews` (`created_at`) WHERE state = 'open';--> statement-breakpoint
CREATE INDEX `reviews_by_request` ON `reviews` (`request_id`);--> statement-breakpoint
CREATE TABLE `revocations` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`content` text NOT NULL,
	`created_at` integer NOT NULL,
	`confirmed_at` integer,
	`done_at` integer
);
--> statement-breakpoint
ALTER TABLE `freezes` ADD `except` text;--> statement-breakpoint
ALTER TABLE `freezes` ADD `sweeping` text;--> statement-breakpoint
ALTER TABLE `requests` ADD `break_glass` text;