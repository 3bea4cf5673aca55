ALTER TABLE `requests` ADD `ticket` text;--> statement-breakpoint
ALTER TABLE `requests` ADD `ticket_url` text;--> statement-breakpoint
ALTER TABLE `requests` ADD `automatic` text;