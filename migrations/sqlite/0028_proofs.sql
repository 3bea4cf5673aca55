CREATE TABLE `proofs` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`person` text NOT NULL,
	`created_at` integer NOT NULL,
	`content` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `proofs_open` ON `proofs` (`person`) WHERE state in ('open', 'signed_in');--> statement-breakpoint
ALTER TABLE `approvals` ADD `proof` text;--> statement-breakpoint
ALTER TABLE `requests` ADD `confirming` text;