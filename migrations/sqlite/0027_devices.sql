CREATE TABLE `devices` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`user_code` text NOT NULL,
	`label` text NOT NULL,
	`from` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`person` text,
	`person_name` text,
	`signed_in_at` integer,
	`acr` text,
	`amr` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `devices_by_code` ON `devices` (`user_code`);--> statement-breakpoint
CREATE INDEX `devices_by_end` ON `devices` (`expires_at`);