ALTER TABLE `approvals` ADD `stage` integer;--> statement-breakpoint
ALTER TABLE `requests` ADD `asking` text;