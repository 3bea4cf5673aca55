ALTER TABLE `grants` ADD `incident` text;--> statement-breakpoint
ALTER TABLE `requests` ADD `incident` text;